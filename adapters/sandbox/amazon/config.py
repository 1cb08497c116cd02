"""What a sandbox marketplace is started with. Everything has a default; a wrong value is one clear sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any

QUANTITY_MAX = 1_000_000_000
LEAD_TIME_DAYS_MAX = 30


class ConfigError(ValueError):
    """A value the marketplace cannot start or load with; the message says which one and why."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket: requests per second, and how many at once."""

    rate: float
    burst: float

    @classmethod
    def parse(cls, text: str) -> Limit:
        """`5/10`: five a second, ten at once. Raises ConfigError."""
        rate, _, burst = text.partition("/")
        try:
            limit = cls(float(rate), float(burst))
        except ValueError:
            raise ConfigError(f"a limit is RATE/BURST, as in 5/10: {text}") from None
        if not 0 < limit.rate < float("inf") or not 1 <= limit.burst < float("inf"):
            raise ConfigError(f"a limit has a rate above 0 and a burst of 1 or more: {text}")
        return limit


# The usage plans of the published models.
LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "getListingsItem": Limit(5, 10),
        "patchListingsItem": Limit(5, 5),
        "searchListingsItems": Limit(5, 5),
        "createFeed": Limit(0.0083, 15),
        "createFeedDocument": Limit(0.5, 15),
        "getFeed": Limit(2, 15),
        "getFeedDocument": Limit(0.0222, 10),
        "searchOrders": Limit(0.0056, 20),
        "getOrder": Limit(0.5, 30),
        "confirmShipment": Limit(2, 10),
        "listReturns": Limit(0.5, 10),
    }
)


@dataclass(frozen=True, slots=True)
class ProductConfig:
    """One listing. `fulfillment_channel`: None for the merchant's stock, `AMAZON_NA` for FBA's."""

    sku: str
    title: str
    price: str = "10.00"
    barcode: str | None = None
    quantity: int = 0
    product_type: str = "PRODUCT"
    lead_time_days: int | None = None
    fulfillment_channel: str | None = None

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> ProductConfig:
        """Reads one product of a JSON list. Raises ConfigError."""
        sku = str(raw.get("sku") or "").strip()
        if not sku:
            raise ConfigError(f"a product needs a sku: {raw!r}")
        barcode, channel = raw.get("barcode"), raw.get("fulfillment_channel")
        days = raw.get("lead_time_days")
        return cls(
            sku=sku,
            title=str(raw.get("title") or sku),
            price=_parse_price(sku, raw.get("price", "10.00")),
            barcode=None if barcode is None else str(barcode),
            quantity=_parse_count(sku, "quantity", raw.get("quantity", 0), QUANTITY_MAX),
            product_type=str(raw.get("product_type") or "PRODUCT"),
            lead_time_days=None if days is None else _parse_count(sku, "lead_time_days", days, LEAD_TIME_DAYS_MAX),
            fulfillment_channel=None if channel is None else str(channel),
        )


def _parse_count(sku: str, name: str, raw: object, most: int) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= most:
        raise ConfigError(f"product {sku}: {name} must be a whole number from 0 to {most}")
    return raw


def _parse_price(sku: str, raw: object) -> str:
    try:
        price = Decimal(str(raw))
    except InvalidOperation:
        raise ConfigError(f"product {sku}: price must be a decimal number") from None
    if not price.is_finite() or price < 0:
        raise ConfigError(f"product {sku}: price must be a decimal number, zero or more")
    return f"{price:.2f}"


@dataclass(frozen=True, slots=True)
class MarketConfig:
    """One seller in one marketplace. The real ones are slower: a feed takes minutes, a payment half an hour."""

    client_id: str = "amzn1.application-oa2-client.sandbox"
    client_secret: str = "sandbox-secret"  # noqa: S105 - a sandbox has no secret worth hiding
    # Also opens the doors for faults and products, as X-Sandbox-Token.
    refresh_token: str = "Atzr|sandbox"  # noqa: S105
    seller_id: str = "ASANDBOXSELLER"
    marketplace_id: str = "ATVPDKIKX0DER"
    fulfillment_channel: str = "DEFAULT"
    state_path: Path | None = None
    name: str = "Sandbox Marketplace"
    currency: str = "USD"
    products: tuple[ProductConfig, ...] = ()
    # Those not named are the published ones.
    limits: Mapping[str, Limit] = field(default_factory=lambda: LIMITS)
    token_seconds: float = 3600.0
    # From ACCEPTED until the quantity is sold from.
    apply_seconds: float = 1.0
    feed_queue_seconds: float = 2.0
    feed_work_seconds: float = 3.0
    document_seconds: float = 300.0
    # A new order is PENDING, without address, until it is paid.
    pending_seconds: float = 5.0
    ship_within_seconds: float = 172_800.0
    # How old a search's ...Before must be.
    search_age_seconds: float = 120.0
    visibility_seconds: float = 30.0
    gzip_reports: bool = True
    # The vendor does not say what a feed does to a SKU patched after it was created: True, the feed wins.
    feeds_overwrite_newer: bool = True
    # False: ORDER_CHANGE speaks of changes only, a new order is found by searching.
    announces_new_orders: bool = True
    # The same package reference again: True, it is the same package; False, it is refused.
    repeats_shipments: bool = True
    # True: sells whatever is asked, as a shop does whose cached number is stale.
    oversell: bool = False
    # Seed of the injected faults and of the queue's disorder, so that a failing run can be repeated.
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.client_id and self.client_secret and self.refresh_token):
            raise ConfigError("the sandbox marketplace needs a client id, a client secret and a refresh token")
        if not self.seller_id or not self.marketplace_id:
            raise ConfigError("the sandbox marketplace needs a seller id and a marketplace id")
        unknown = self.limits.keys() - LIMITS.keys()
        if unknown:
            raise ConfigError(f"no operation is called {min(unknown)}; there are {', '.join(LIMITS)}")
