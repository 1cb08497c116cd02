"""`kit` and `kitSet`."""

from __future__ import annotations

from typing import Any

import strawberry

from api.answer import answer
from api.context import Info
from api.directives import STAFF, Cost, requires
from api.scalars import UserError
from app.calls import make_call
from app.kits.read_kits import answer_kit
from app.kits.set_kit import set_kit
from domain.identity import Role
from domain.kits import Component


@strawberry.type
class KitComponent:
    sku: str
    title: str
    quantity: int = strawberry.field(description="Units in one kit.")


@strawberry.type
class KitAvailability:
    warehouse: str
    available: int = strawberry.field(description="Kits that the components available there make.")


@strawberry.type(description="A SKU that is made of others when it is sold.")
class Kit:
    sku: str
    components: list[KitComponent]
    availability: list[KitAvailability]


@strawberry.input
class KitComponentInput:
    sku: str
    quantity: int = 1


@strawberry.input
class KitSetInput:
    sku: str
    components: list[KitComponentInput]
    idempotency_key: str | None = None


@strawberry.type
class KitSetPayload:
    user_errors: list[UserError]
    kit: Kit | None = None


def kit_from_answer(found: Any) -> Kit:
    return Kit(
        sku=found["sku"],
        components=[KitComponent(**part) for part in found["components"]],
        availability=[KitAvailability(**made) for made in found["availability"]],
    )


@strawberry.type
class KitQuery:
    @strawberry.field(
        directives=[*requires(STAFF, "stock:read"), Cost(weight=20)], description="Null: it is no kit, or no SKU."
    )
    async def kit(self, info: Info, sku: str) -> Kit | None:
        state = info.context.state
        kit_id = (await state.lookup.find_skus([sku])).get(sku)
        found = None if kit_id is None else await answer_kit(state.database.hot, kit_id, info.context.principal)
        return None if found is None else kit_from_answer(found)


@strawberry.type
class KitMutation:
    @strawberry.mutation(
        directives=requires([Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE], "stock:write"),
        description="Say once what a SKU is made of. It has no stock of its own; orders for it take its components.",
    )
    async def kit_set(self, info: Info, input: KitSetInput) -> KitSetPayload:
        async def save() -> dict[str, Any]:
            components = [Component(part.sku, part.quantity) for part in input.components]
            call = make_call(info.context.principal, "kit:set", input.idempotency_key, [input.sku, components])
            made = await set_kit(info.context.state, input.sku, components, call)
            return {"kit": kit_from_answer(made["kit"])}

        return await answer(KitSetPayload, save())
