"""What a sandbox store is started with. Everything has a default; a wrong value is one clear sentence."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

API_VERSION = "2026-07"

ALL_SCOPES = frozenset({"read_inventory", "write_inventory", "read_locations", "read_orders", "read_products"})

# The vendor retries 8 times over about 4 hours, further and further apart, then drops the subscription.
WEBHOOK_RETRY_SECONDS = (10.0, 30.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0)

QUANTITY_MAX = 1_000_000_000
PRODUCTS_MAX = 50_000


class ConfigError(ValueError):
    """A value the store cannot start or load with; the message says which one and why."""


@dataclass(frozen=True, slots=True)
class ProductConfig:
    """One product with one variant. `quantity` is what the first location starts with."""

    sku: str
    title: str
    price: str = "10.00"
    barcode: str | None = None
    quantity: int = 0

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> ProductConfig:
        """Reads one product of a JSON list. Raises ConfigError."""
        sku = str(raw.get("sku") or "").strip()
        if not sku:
            raise ConfigError(f"a product needs a sku: {raw!r}")
        quantity = raw.get("quantity", 0)
        if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 <= quantity <= QUANTITY_MAX:
            raise ConfigError(f"product {sku}: quantity must be a whole number from 0 to {QUANTITY_MAX}")
        barcode = raw.get("barcode")
        return cls(
            sku=sku,
            title=str(raw.get("title") or sku),
            price=_parse_price(sku, raw.get("price", "10.00")),
            barcode=None if barcode is None else str(barcode),
            quantity=quantity,
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
    # True: the store sells whatever is asked, as a shop does whose cached number is stale.
    oversell: bool = False
    webhook_retry_seconds: tuple[float, ...] = WEBHOOK_RETRY_SECONDS
    webhook_timeout_seconds: float = 5.0
    # Seed of the injected faults, so that a failing run can be repeated.
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.token or not self.webhook_secret:
            raise ConfigError("the sandbox store needs an access token and a webhook secret")
        if not self.locations:
            raise ConfigError("the sandbox store needs at least one location")
        if self.restore_rate < 1:
            raise ConfigError("restore_rate must be 1 point per second or more")
