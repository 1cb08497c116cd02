"""The sandbox marketplaces as a simulation drives them: one class per kind, one instance per running process."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import httpx

from app.channels.connect_channel import ChannelConnect
from app.channels.link_listing import ListingLink
from tests.marketplaces import Marketplace

SECRET = "sandbox-secret"


class Market(ABC):
    """One marketplace connected as channel `code`."""

    kind = ""
    faults: ClassVar[dict[str, Any]] = {}
    """Everything that can go wrong here, at rates that leave it usable.

    A listing that was refused for good waits for a person, who comes when the faults are over.
    """

    def __init__(self, running: Marketplace, http: httpx.AsyncClient) -> None:
        self.running = running
        self.http = http

    @property
    def code(self) -> str:
        return f"sim-{self.kind}"

    @property
    def headers(self) -> dict[str, str]:
        return {}

    @staticmethod
    def arguments(webhook_url: str, state: Path) -> list[str]:
        return ["--state", str(state)]

    async def load(self, skus: Sequence[str]) -> Any:
        products = [{"sku": sku, "title": sku, "quantity": 0} for sku in skus]
        answer = await self._post("/admin-sandbox/products", products)
        answer.raise_for_status()
        return answer.json()

    async def buy(self, sku: str, quantity: int) -> bool:
        """Whether the marketplace sold it."""
        return (await self._post("/buy", {"lines": [{"sku": sku, "quantity": quantity}]})).status_code == 201

    async def set_faults(self, seed: int) -> None:
        (await self._post("/faults", {"seed": seed, **self.faults} if seed else {})).raise_for_status()

    async def fail(self, seed: int) -> None:
        """Every request is answered by an error of the server."""
        faults = {"seed": seed, **self.faults, "server_error": {"rate": 1.0}}
        (await self._post("/faults", faults)).raise_for_status()

    @staticmethod
    def is_cancelled(order: Any) -> bool:
        """What it says of an order in its state."""
        return bool(order["cancelled"])

    def find_lies(self, shown: Any) -> dict[str, list[tuple[float, float, float]]]:
        """By SKU: from when to when an answer stood that said a write was applied, and when one last really was."""
        lies: dict[str, list[tuple[float, float, float]]] = {}
        applied: dict[str, float] = {}
        for write in shown["history"]:
            sku, at = write["sku"], write["at"]
            if write["cause"] == "not_applied":
                lies.setdefault(sku, []).append((at, float("inf"), applied.get(sku, 0.0)))
            elif write["cause"] == "api":
                applied[sku] = at
                lies[sku] = [(start, min(end, at), since) for start, end, since in lies.get(sku, ())]
        return lies

    async def state(self) -> Any:
        return (await self.http.get(f"{self.running.url}/state", timeout=60)).json()

    async def _post(self, path: str, body: Any) -> httpx.Response:
        return await self.http.post(self.running.url + path, json=body, headers=self.headers, timeout=30)

    @abstractmethod
    async def connect(self, skus: Sequence[str], warehouses: Sequence[str]) -> tuple[ChannelConnect, list[ListingLink]]:
        """What to connect it with, its shelves filled, and what it calls each SKU."""


class ShopifyMarket(Market):
    kind = "shopify"
    faults: ClassVar[dict[str, Any]] = {
        "throttled": {"rate": 0.03},
        "server_error": {"rate": 0.03},
        "lost_reply": {"rate": 0.03},
        "lost_write": {"rate": 0.02},
        "lost_token": {"rate": 0.2},
        "token_expired": {"rate": 0.01},
        "error_after_write": {"rate": 0.01},
        "slow_write": {"rate": 0.05, "seconds": 0.2},
        "idempotency_recheck": {"rate": 0.5},
        "latency": {"rate": 0.1, "seconds": 0.3},
        "outside_change": {"rate": 0.02},
        "cancel_race": {"rate": 0.1},
        "webhook_duplicate": {"rate": 0.1},
        "webhook_late": {"rate": 0.1, "seconds": 2.0},
        "webhook_missing": {"rate": 0.05},
    }

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Shopify-Access-Token": "sandbox-token"}

    @staticmethod
    def arguments(webhook_url: str, state: Path) -> list[str]:
        return [
            "--state",
            str(state),
            "--webhook-url",
            webhook_url,
            "--secret",
            SECRET,
            "--restore-rate",
            "1000",
            "--refresh-token",
            "sandbox-refresh",
        ]

    async def connect(self, skus: Sequence[str], warehouses: Sequence[str]) -> tuple[ChannelConnect, list[ListingLink]]:
        items = (await self.load(skus))["inventory_items"]
        query = {"query": "{ locations(first: 1) { nodes { id } } }"}
        answer = (await self._post("/admin/api/2026-07/graphql.json", query)).json()
        location = answer["data"]["locations"]["nodes"][0]["id"]
        wanted = ChannelConnect(
            self.code,
            "Simulated Shopify",
            "SHOPIFY",
            dict.fromkeys(warehouses, location),
            {"base_url": self.running.url},
            {
                "access_token": "sandbox-token",
                "webhook_secret": SECRET,
                "refresh_token": "sandbox-refresh",
                "client_id": "sandbox-client",
                "client_secret": "sandbox-client-secret",
            },
            status="LIVE",
        )
        return wanted, [ListingLink(sku, items[sku], location) for sku in skus]


class AmazonMarket(Market):
    kind = "amazon"
    faults: ClassVar[dict[str, Any]] = {
        "throttled": {"rate": 0.03},
        "server_error": {"rate": 0.02},
        "unavailable": {"rate": 0.02},
        "latency": {"rate": 0.1, "seconds": 0.3},
        "lost_reply": {"rate": 0.03},
        "token_expired": {"rate": 0.01},
        "token_service_down": {"rate": 0.1},
        "not_applied": {"rate": 0.03},
        "feed_fatal": {"rate": 0.1},
        "feed_cancelled": {"rate": 0.1},
        "page_shift": {"rate": 0.1},
        "cancel_race": {"rate": 0.1},
        "outside_change": {"rate": 0.02},
        "notification_duplicate": {"rate": 0.1},
        "notification_late": {"rate": 0.1, "seconds": 2.0},
        "notification_missing": {"rate": 0.05},
    }

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Sandbox-Token": "sandbox-refresh"}

    @staticmethod
    def is_cancelled(order: Any) -> bool:
        return bool(order["status"] == "CANCELLED")

    @staticmethod
    def arguments(webhook_url: str, state: Path) -> list[str]:
        fast = ("patchListingsItem=50/50", "searchListingsItems=20/20", "searchOrders=1/20", "getOrder=20/30")
        limits = [part for limit in fast for part in ("--limit", limit)]
        return [
            *("--state", str(state), "--refresh-token", "sandbox-refresh", "--client-secret", SECRET),
            *("--apply-seconds", "0.2", "--feed-seconds", "3", "--pending-seconds", "0.5"),
            *("--search-age-seconds", "2"),
            *limits,
        ]

    async def connect(self, skus: Sequence[str], warehouses: Sequence[str]) -> tuple[ChannelConnect, list[ListingLink]]:
        await self.load(skus)
        from adapters.sandbox.amazon.config import MarketConfig

        plain = MarketConfig()
        wanted = ChannelConnect(
            self.code,
            "Simulated Amazon",
            "AMAZON",
            dict.fromkeys(warehouses, ""),
            {
                "base_url": self.running.url,
                "lwa_url": self.running.url,
                "seller_id": plain.seller_id,
                "marketplace_id": plain.marketplace_id,
                "client_id": plain.client_id,
                "queue_url": f"{self.running.url}/sqs",
                "queue_region": "eu-central-1",
                "search_lag_seconds": 4,
            },
            {
                "client_secret": SECRET,
                "refresh_token": "sandbox-refresh",
                "aws_access_key_id": "sandbox",
                "aws_secret_access_key": "sandbox",
            },
            status="LIVE",
        )
        return wanted, [ListingLink(sku, sku) for sku in skus]


class EbayMarket(Market):
    kind = "ebay"
    faults: ClassVar[dict[str, Any]] = {
        "latency": {"rate": 0.1, "seconds": 0.3},
        "limit_exceeded": {"rate": 0.03},
        "server_error": {"rate": 0.03},
        "lost_reply": {"rate": 0.03},
        "token_expired": {"rate": 0.01},
        "token_expired_403": {"rate": 0.01},
        "partial": {"rate": 0.03},
        "item_refused": {"rate": 0.003},
        "partial_missing": {"rate": 0.03},
        "shuffled": {"rate": 0.2},
        "not_applied": {"rate": 0.02},
        "outside_change": {"rate": 0.02},
        "page_shift": {"rate": 0.1},
        "cancel_race": {"rate": 0.1},
        "notification_duplicate": {"rate": 0.1},
        "notification_late": {"rate": 0.1, "seconds": 2.0},
        "notification_reordered": {"rate": 0.1},
        "notification_missing": {"rate": 0.05},
    }

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer sandbox-token"}

    @staticmethod
    def is_cancelled(order: Any) -> bool:
        return bool(order["cancel"] == "CANCELED")

    @staticmethod
    def arguments(webhook_url: str, state: Path) -> list[str]:
        return [
            *("--state", str(state), "--token", "sandbox-token", "--client-secret", SECRET),
            *("--refresh-token", "sandbox-refresh", "--verification-token", "v" * 40, "--webhook-url", webhook_url),
            *("--revisions-per-day", "900", "--calls-per-day", "10000000"),
        ]

    async def connect(self, skus: Sequence[str], warehouses: Sequence[str]) -> tuple[ChannelConnect, list[ListingLink]]:
        offers = (await self.load(skus))["offers"]
        from adapters.sandbox.ebay.config import AccountConfig

        wanted = ChannelConnect(
            self.code,
            "Simulated eBay",
            "EBAY",
            dict.fromkeys(warehouses, ""),
            {"base_url": self.running.url, "out_of_stock_control": True, "revisions_per_day": 900},
            {
                "client_id": AccountConfig().client_id,
                "client_secret": SECRET,
                "refresh_token": "sandbox-refresh",
                "verification_token": "v" * 40,
            },
            status="LIVE",
        )
        return wanted, [ListingLink(sku, sku, reference=offers[sku]["reference"]) for sku in skus]


MARKETS: dict[str, type[Market]] = {one.kind: one for one in (ShopifyMarket, AmazonMarket, EbayMarket)}


async def gather_states(markets: Sequence[Market]) -> dict[str, Any]:
    return dict(zip([m.kind for m in markets], await asyncio.gather(*(m.state() for m in markets)), strict=True))
