"""Take out of a channel's word of an order what no database keeps: a buyer types what they like, and it is an order."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine

AMOUNT_LIMIT = Decimal(10**10)
CURRENCY_LENGTH = 3


def clean_order(order: ChannelOrder) -> ChannelOrder:
    """Texts without NUL characters and halves of characters; amounts that nothing costs are not known."""
    currency = order.currency if order.currency and len(order.currency) == CURRENCY_LENGTH else None
    return replace(
        order,
        external_id=_clean(order.external_id) or "",
        name=_clean(order.name),
        lines=tuple(_clean_line(line) for line in order.lines),
        country_code=_clean(order.country_code),
        address=None if order.address is None else _clean_address(order.address),
        email=_clean(order.email),
        phone=_clean(order.phone),
        total=_bound(order.total),
        currency=_clean(currency),
    )


def _clean_line(line: ChannelOrderLine) -> ChannelOrderLine:
    return replace(
        line,
        external_id=_clean(line.external_id) or "",
        sku=_clean(line.sku),
        title=_clean(line.title),
        unit_price=_bound(line.unit_price),
    )


def _clean_address(address: Address) -> Address:
    return Address(
        _clean(address.name),
        tuple(_clean(line) or "" for line in address.lines),
        *(_clean(address.city), _clean(address.region), _clean(address.postal_code), _clean(address.country_code)),
    )


def _clean(text: str | None) -> str | None:
    if text is None or (text.isprintable() and text.isascii()):
        return text
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")


def _bound(amount: Decimal | None) -> Decimal | None:
    return amount if amount is not None and amount.is_finite() and abs(amount) < AMOUNT_LIMIT else None
