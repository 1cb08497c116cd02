"""`returnExchange`: an order is sent instead of what comes back."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import Requires, check_requirement, requires
from api.floor.operation import REF, decode_ref, plain
from api.floor.return_types import Return, return_from_row
from api.floor.returns import CARE, SCOPE
from api.orders.change_order import OrderAddressInput, read_address
from api.orders.types import Order, order_from_row
from api.scalars import MoneyInput, UserError
from app.calls import make_call
from app.floor.perform import FloorCall
from app.returns.exchange_return import ExchangeWanted, exchange_return
from app.returns.prepare_exchange import ExchangeLine, Goal
from domain.provenance import Remarks

BOTH = Requires(roles=list(CARE), scope=SCOPE)
"""Besides what the directive says: it changes a return, and makes an order."""


@strawberry.input
class ReturnExchangeLine:
    sku: str = strawberry.field(description="Code or barcode.")
    quantity: int
    unit_price: MoneyInput | None = strawberry.field(
        default=None,
        description="What a unit takes of the refund that is due; left out: what the order says that it costs.",
    )


@strawberry.input
class ReturnExchangeInput:
    id: strawberry.ID = strawberry.field(description=REF)
    lines: list[ReturnExchangeLine] = strawberry.field(description="What is sent instead.")
    address: OrderAddressInput | None = strawberry.field(default=None, description="Left out: where the order went.")
    email: str | None = strawberry.field(default=None, description="With an address. Left out: as the order has it.")
    phone: str | None = strawberry.field(default=None, description="With an address. Left out: as the order has it.")
    ship_by: datetime.datetime | None = None
    reason: str = "EXCHANGE"
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.type
class ReturnExchangePayload:
    user_errors: list[UserError]
    return_: Return | None = strawberry.field(name="return", default=None)
    order: Order | None = strawberry.field(default=None, description="What is sent instead.")


def _price(given: MoneyInput | None) -> tuple[Decimal, str] | None:
    return None if given is None else (given.amount, given.currency)


async def _exchange(context: Context, command: ReturnExchangeInput) -> dict[str, Any]:
    key, address = command.idempotency_key, read_address(command.address)
    lines = [ExchangeLine(line.sku, line.quantity, _price(line.unit_price)) for line in command.lines]
    goal = None if address is None else Goal(address, command.email, command.phone)
    call = make_call(context.principal, "return:exchange", key, plain(command))
    act = FloorCall(context.principal, context.provenance(key), Remarks(command.reason, command.note), call)
    wanted = ExchangeWanted(lines, goal, command.ship_by)
    made = await exchange_return(context.state, act, decode_ref(command.id, "return"), wanted)
    return {"return_": return_from_row(made["return"]), "order": order_from_row(made["order"])}


@strawberry.type
class ExchangeMutation:
    @strawberry.mutation(
        directives=requires(list(CARE), "orders:write"),
        description="Send an order instead of what comes back, to the same person, and linked to the return and its "
        "order. It is routed and promised as any order; its channel is told nothing of it. A refund that is due is "
        "less by what is sent. Needs the scope returns:write as well, of a token that is limited to scopes.",
    )
    async def return_exchange(self, info: Info, input: ReturnExchangeInput) -> ReturnExchangePayload:
        check_requirement(BOTH, info.context.principal, "Mutation.returnExchange")
        return await answer(ReturnExchangePayload, _exchange(info.context, input))
