"""A refund as an order's record shows it."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ChannelRefund:
    """Money that went back for an order, as its record shows it; neither `paid` nor `failed`: it is on its way."""

    id: str
    amount: Decimal
    currency: str
    paid: bool
    failed: bool = False
    at: datetime.datetime | None = None
