"""Shared types: money, pages, user errors."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import strawberry
from strawberry.types.scalar import ScalarDefinition

from api.ids import decode_id
from domain.errors import Refusal, RefusalCode

CurrencyCode = Annotated[str, "ISO 4217"]
strawberry.enum(RefusalCode, name="UserErrorCode", description="Why a mutation was refused.")
T = TypeVar("T")


def serialize_datetime(value: datetime.datetime | str) -> str:
    """ISO 8601 in UTC with a Z."""
    text = value if isinstance(value, str) else value.astimezone(datetime.UTC).isoformat()
    return text.replace("+00:00", "Z")


def parse_datetime(value: Any) -> datetime.datetime:
    parsed = datetime.datetime.fromisoformat(value)
    if parsed.tzinfo is None:
        raise ValueError("A DateTime says its offset, as in 2026-11-24T08:00:00Z.")
    return parsed


SCALARS: Mapping[object, ScalarDefinition] = {
    datetime.datetime: strawberry.scalar(
        name="DateTime",
        description="ISO 8601 in UTC.",
        serialize=serialize_datetime,
        parse_value=parse_datetime,
    ),
}


@strawberry.type(description="An amount of money.")
class Money:
    amount: Decimal
    currency: str = strawberry.field(description="ISO 4217, as in EUR.")


@strawberry.input(description="An amount of money.")
class MoneyInput:
    amount: Decimal
    currency: str = "EUR"


@strawberry.type(description="Why a mutation changed nothing.")
class UserError:
    code: RefusalCode
    message: str = strawberry.field(description="A sentence for people.")
    path: list[str] = strawberry.field(description='Where in the input, as in ["lines","3","quantity"].')


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


def user_error(refusal: Refusal) -> UserError:
    return UserError(code=refusal.code, message=refusal.message, path=list(refusal.path))


def to_money(amount: Decimal | None, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount=amount, currency=currency)


def page_size(first: int) -> int:
    """Raises `Refusal` unless from 1 to 250."""
    if not 1 <= first <= 250:
        raise Refusal(RefusalCode.INVALID_INPUT, "first is from 1 to 250: ask for the rest with `after`.", ("first",))
    return first


def page_key(after: str | None, kind: str) -> str | None:
    return None if after is None else decode_id(after, f"{kind}Cursor", ("after",))[1]
