"""What a sandbox store is started with. Everything has a default; a wrong value is one clear sentence."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

API_VERSION = "2026-07"

ALL_SCOPES = frozenset(
    {
        "read_inventory",
        "write_inventory",
        "read_locations",
        "read_orders",
        "write_orders",
        "read_returns",
        "write_returns",
        "write_order_edits",
        "read_products",
        "read_merchant_managed_fulfillment_orders",
        "write_merchant_managed_fulfillment_orders",
    }
)

# The vendor retries 8 times over about 4 hours, further and further apart, then drops the subscription.
WEBHOOK_RETRY_SECONDS = (10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0)

QUANTITY_MAX = 1_000_000_000
LOCATIONS_MAX = 100


class ConfigError(ValueError):
    """A value the store cannot start or load with; the message says which one and why."""


@dataclass(frozen=True, slots=True)
class ProductConfig:
    """One product with one variant.

    `quantity` is what the first location starts with; `quantities` what each of them does, in their order. One that
    is not `tracked` is stocked nowhere and sells without being counted.
    """

    sku: str
    title: str
    price: str = "10.00"
    barcode: str | None = None
    quantity: int = 0
    quantities: tuple[int, ...] = ()
    tracked: bool = True

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> ProductConfig:
        """Reads one product of a JSON list. Raises ConfigError."""
        sku = str(raw.get("sku") or "").strip()
        if not sku:
            raise ConfigError(f"a product needs a sku: {raw!r}")
        quantities, tracked = raw.get("quantities", []), raw.get("tracked", True)
        if not isinstance(quantities, list) or not isinstance(tracked, bool):
            raise ConfigError(f"product {sku}: quantities is a list, tracked is true or false")
        barcode = raw.get("barcode")
        return cls(
            sku=sku,
            title=str(raw.get("title") or sku),
            price=_parse_price(sku, raw.get("price", "10.00")),
            barcode=None if barcode is None else str(barcode),
            quantity=_parse_quantity(sku, raw.get("quantity", 0)),
            quantities=tuple(_parse_quantity(sku, entry) for entry in quantities),
            tracked=tracked,
        )


def _parse_quantity(sku: str, raw: object) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= QUANTITY_MAX:
        raise ConfigError(f"product {sku}: quantity must be a whole number from 0 to {QUANTITY_MAX}")
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
class LocationConfig:
    """A place the store sells from. Its address only serves to be read back through the API."""

    name: str
    city: str = "Shippington"
    zip: str = "10001"
    country_code: str = "US"
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """`restore_rate` is in points per second (100, 200, 1000 or 2000 by the vendor's plans)."""

    token: str = "sandbox-token"  # noqa: S105 - a sandbox has no secret worth hiding
    webhook_secret: str = "sandbox-secret"  # noqa: S105
    # Given: the access token ends after `token_seconds` and is renewed with this one, which changes every time.
    refresh_token: str | None = None
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-client-secret"  # noqa: S105
    token_seconds: float = 3600.0
    # Subscribed to every topic at start; more come through webhookSubscriptionCreate.
    webhook_url: str | None = None
    state_path: Path | None = None
    name: str = "Sandbox Store"
    domain: str = "sandbox.myshopify.com"
    currency: str = "USD"
    locations: tuple[LocationConfig, ...] = (LocationConfig("Sandbox store shelf"),)
    products: tuple[ProductConfig, ...] = ()
    scopes: frozenset[str] = ALL_SCOPES
    restore_rate: int = 100
    # None: ten times the restore rate.
    points_max: int | None = None
    query_points_max: int = 1000
    # Between an order and its fulfilment orders.
    routing_seconds: float = 0.2
    # Between orderCancel and what its job does.
    cancel_seconds: float = 0.2
    # True: the store sells whatever is asked, as a shop does whose cached number is stale.
    oversell: bool = False
    webhook_retry_seconds: tuple[float, ...] = WEBHOOK_RETRY_SECONDS
    webhook_timeout_seconds: float = 5.0
    # Seed of the injected faults, so that a failing run can be repeated.
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.token or not self.webhook_secret:
            raise ConfigError("the sandbox store needs an access token and a webhook secret")
        if not 1 <= len(self.locations) <= LOCATIONS_MAX:
            raise ConfigError(f"the sandbox store needs 1 to {LOCATIONS_MAX} locations")
        if self.token_seconds <= 0 or min(self.routing_seconds, self.cancel_seconds) < 0:
            raise ConfigError("token_seconds must be more than 0, routing_seconds and cancel_seconds 0 or more")
        if self.restore_rate < 1:
            raise ConfigError("restore_rate must be 1 point per second or more")
