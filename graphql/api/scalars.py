"""Shared types: money, pages, user errors."""

from __future__ import annotations

import datetime
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Generic, NewType, TypeVar
from uuid import UUID

import strawberry
from graphql import GraphQLError
from strawberry.types.scalar import ScalarDefinition

from api.directives import Cost
from api.ids import INT_MAX, decode_numbers, decode_uuid, encode_id
from api.limits import PAGE_MAX
from domain.errors import Refusal, RefusalCode

strawberry.enum(RefusalCode, name="UserErrorCode", description="Why a mutation was refused.")
CurrencyCode = NewType("CurrencyCode", str)
CURRENCY = re.compile(r"[A-Z]{3}")
DECIMAL = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
T = TypeVar("T")
NAMES_MAX = 1_000
COUNT_COST = 100


def serialize_datetime(value: datetime.datetime | str) -> str:
    """ISO 8601 in UTC with a Z."""
    text = value if isinstance(value, str) else value.astimezone(datetime.UTC).isoformat()
    return text.replace("+00:00", "Z")


def parse_datetime(value: Any) -> datetime.datetime:
    try:
        parsed = datetime.datetime.fromisoformat(value)
        if parsed.tzinfo is not None:
            return parsed.astimezone(datetime.UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise GraphQLError("A DateTime is ISO 8601 with its offset, as in 2026-11-24T08:00:00Z.")


def serialize_decimal(value: Decimal | str) -> str:
    return value if isinstance(value, str) else format(value, "f")


def parse_decimal(value: Any) -> Decimal:
    text = str(value) if type(value) in (int, float, str) else ""
    if DECIMAL.fullmatch(text) is None:
        raise GraphQLError('A Decimal is a string of digits such as "12.50", at most 18 before the point and after it.')
    return Decimal(text)


def parse_currency(value: Any) -> CurrencyCode:
    if not isinstance(value, str) or CURRENCY.fullmatch(value) is None:
        raise GraphQLError("A CurrencyCode is three capital letters of ISO 4217, such as EUR.")
    return CurrencyCode(value)


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime.datetime: strawberry.scalar(
        name="DateTime",
        description="ISO 8601 in UTC, as in 2026-11-24T08:00:00Z. Given ones say their offset.",
        serialize=serialize_datetime,
        parse_value=parse_datetime,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='A decimal number as a string, as in "12.50".',
        serialize=serialize_decimal,
        parse_value=parse_decimal,
    ),
    CurrencyCode: strawberry.scalar(
        name="CurrencyCode",
        description="ISO 4217, as in EUR.",
        serialize=str,
        parse_value=parse_currency,
    ),
}


@strawberry.type(description="An amount of money.")
class Money:
    amount: Decimal
    currency: CurrencyCode


@strawberry.input(description="An amount of money.")
class MoneyInput:
    amount: Decimal
    currency: CurrencyCode = CurrencyCode("EUR")


@strawberry.type(description="Why a mutation changed nothing.")
class UserError:
    code: RefusalCode
    message: str = strawberry.field(description="A sentence for people.")
    path: list[str] = strawberry.field(description='Where in the input, as in ["lines","3","quantity"].')


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None
    has_previous_page: bool = False
    start_cursor: str | None = None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type
class Counted:
    """A connection that can say how many there are in all; `count` is awaited only when it is asked to."""

    count: strawberry.Private[Callable[[], Awaitable[int]]]

    @strawberry.field(directives=[Cost(weight=COUNT_COST)], description="Counted only when asked for.")
    async def total_count(self) -> int:
        return await self.count()


def user_error(refusal: Refusal) -> UserError:
    return UserError(code=refusal.code, message=refusal.message, path=list(refusal.path))


def to_money(amount: Decimal | None, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount=amount, currency=CurrencyCode(currency))


def page_size(first: int) -> int:
    """Raises `Refusal` unless from 1 to 250."""
    if not 1 <= first <= PAGE_MAX:
        message = f"first is from 1 to {PAGE_MAX}: ask for the rest with `after`."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("first",))
    return first


def make_page(
    found: Sequence[T],
    size: int,
    cursor_kind: str,
    after: str | None,
    key_of: Callable[[Any], str] = lambda node: node.key,
) -> dict[str, Any]:
    """What every connection holds: at most `size` of the rows found, which are one more if there is a next page."""
    nodes = list(found[:size])
    edges = [Edge(cursor=encode_id(cursor_kind, key_of(node)), node=node) for node in nodes]
    info = PageInfo(
        has_next_page=len(found) > size,
        end_cursor=edges[-1].cursor if edges else None,
        has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
    )
    return {"nodes": nodes, "edges": edges, "page_info": info}


def after_numbers(after: str | None, cursor_kind: str, count: int = 1, limit: int = INT_MAX) -> tuple[int, ...]:
    """The key of a cursor of ours, or zeros for the start. Raises `Refusal` INVALID_INPUT."""
    return (0,) * count if after is None else decode_numbers(after, cursor_kind, count, ("after",), limit)


def after_uuid(after: str | None, cursor_kind: str) -> UUID | None:
    """The key of a cursor of ours, None for the start. Raises `Refusal` INVALID_INPUT."""
    return None if after is None else decode_uuid(after, cursor_kind, ("after",))


def check_names(names: Sequence[str] | None, field: str) -> None:
    """Refuse more than 1,000 codes or reasons in one filter."""
    if names is not None and len(names) > NAMES_MAX:
        message = f"A filter names at most {NAMES_MAX} {field}: split the query."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("filter", field))
