"""What a sandbox seller account is started with. Everything has a default; a wrong value is one clear sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any

# Requests of one application in one day, by API. The vendor has no such number on an answer, only in its Analytics API.
CALLS_PER_DAY = {"inventory": 2_000_000, "fulfillment": 100_000, "notification": 10_000, "analytics": 5_000}
REVISIONS_PER_DAY = 250
TOKEN_SECONDS = 7_200.0
DAY_SECONDS = 86_400.0
NOTIFICATION_RETRY_SECONDS = (10.0, 60.0, 300.0)

QUANTITY_MAX = 1_000_000
SKU_LENGTH_MAX = 50
VERIFICATION_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,80}")


class ConfigError(ValueError):
    """A value the account cannot start or load with; the message says which one and why."""


class AtZero(StrEnum):
    """What a quantity of 0 does to a live listing: `KEEP` with the seller's out-of-stock control on, else the others.

    `END` is documented; `REFUSE` (error 25004) was observed by third parties.
    """

    KEEP = "keep"
    END = "end"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ProductConfig:
    """One inventory item with one published offer. Products of one `group` are variations of one listing."""

    sku: str
    title: str
    price: str = "10.00"
    barcode: str | None = None
    quantity: int = 0
    group: str | None = None

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> ProductConfig:
        """Reads one product of a JSON list. Raises ConfigError."""
        sku = str(raw.get("sku") or "").strip()
        if not 0 < len(sku) <= SKU_LENGTH_MAX:
            raise ConfigError(f"a product needs a sku of at most {SKU_LENGTH_MAX} characters: {raw!r}")
        quantity = raw.get("quantity", 0)
        if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 <= quantity <= QUANTITY_MAX:
            raise ConfigError(f"product {sku}: quantity must be a whole number from 0 to {QUANTITY_MAX}")
        barcode, group = raw.get("barcode"), raw.get("group")
        return cls(
            sku=sku,
            title=str(raw.get("title") or sku),
            price=_parse_price(sku, raw.get("price", "10.00")),
            barcode=None if barcode is None else str(barcode),
            quantity=quantity,
            group=None if group is None else str(group),
        )


def _parse_price(sku: str, raw: object) -> str:
    try:
        price = Decimal(str(raw))
    except InvalidOperation:
        raise ConfigError(f"product {sku}: price must be a decimal number") from None
    if not price.is_finite() or price < 0:
        raise ConfigError(f"product {sku}: price must be a decimal number, zero or more")
    return f"{price:.2f}"


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """`token` opens the sandbox's own doors; the other credentials are the seller's and the application's."""

    token: str = "sandbox-token"  # noqa: S105 - a sandbox has no secret worth hiding
    client_id: str = "sandbox-app"
    client_secret: str = "sandbox-cert"  # noqa: S105
    refresh_token: str = "sandbox-refresh"  # noqa: S105
    token_seconds: float = TOKEN_SECONDS
    # Told of every topic from the start, unchallenged, as if the application had set it up before.
    webhook_url: str | None = None
    verification_token: str = "sandbox-verification-token-0123456789"  # noqa: S105
    state_path: Path | None = None
    name: str = "Sandbox eBay seller"
    seller: str = "sandbox_seller"
    marketplace: str = "EBAY_US"
    currency: str = "USD"
    products: tuple[ProductConfig, ...] = ()
    calls_per_day: dict[str, int] = field(default_factory=lambda: dict(CALLS_PER_DAY))
    revisions_per_day: int = REVISIONS_PER_DAY
    # Shorter in tests: a new day gives new calls and new revisions.
    day_seconds: float = DAY_SECONDS
    at_zero: AtZero = AtZero.KEEP
    # True: sells whatever is asked, as a marketplace does whose cached number is stale.
    oversell: bool = False
    # True: endpoints must be HTTPS, as the vendor demands.
    require_https: bool = False
    # Between a refund that is taken and the money.
    refund_seconds: float = 0.2
    # False: the seller has not let the application into the finances, and it refunds nothing.
    may_refund: bool = True
    notification_retry_seconds: tuple[float, ...] = NOTIFICATION_RETRY_SECONDS
    notification_timeout_seconds: float = 5.0
    # Seed of the injected faults, so that a failing run can be repeated.
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.token and self.client_id and self.client_secret and self.refresh_token):
            raise ConfigError("the sandbox account needs a token, a client id and secret, and a refresh token")
        if not VERIFICATION_TOKEN.fullmatch(self.verification_token):
            raise ConfigError("verification_token must be 32 to 80 letters, digits, - and _")
        if self.refund_seconds < 0:
            raise ConfigError("refund_seconds must be 0 or more")
        if self.token_seconds <= 0 or self.day_seconds <= 0 or self.revisions_per_day < 1:
            raise ConfigError("token_seconds, day_seconds and revisions_per_day must be above zero")
        if self.calls_per_day.keys() != CALLS_PER_DAY.keys() or min(self.calls_per_day.values()) < 1:
            raise ConfigError(f"calls_per_day needs a number above zero for each of {', '.join(CALLS_PER_DAY)}")
