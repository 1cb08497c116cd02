"""The sandbox marketplaces as a simulation drives them: one class per kind, one instance per running process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from app.channels.connect_channel import ChannelConnect
from app.channels.link_listing import ListingLink
from tests.simulation.market import SECRET, Market, Placed


class ShopifyMarket(Market):
    kind = "shopify"
    edits = True
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
        "cancel_race": {"rate": 0.3},
        "cancel_not_done": {"rate": 0.3},
        "webhook_duplicate": {"rate": 0.1},
        "webhook_late": {"rate": 0.1, "seconds": 2.0},
        "webhook_missing": {"rate": 0.05},
    }

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Shopify-Access-Token": "sandbox-token"}

    async def take_back(self, placed: Placed, chance: random.Random) -> bool:
        """Cancelled as a whole, edited, or refunded before it was shipped, on sale again or not."""
        way = chance.choice(("cancel", "edit", "refund", "keep"))
        order, one = {"order": placed.id}, {"sku": placed.sku, "quantity": 1}
        if way == "cancel":
            return await self.cancel(placed.id)
        if way == "edit":
            return await self._does("/orders/edit", {**order, "lines": [{**one, "quantity": placed.quantity - 1}]})
        return await self._does("/orders/refund", {**order, "lines": [one], "restock": way == "refund"})

    async def cancel(self, order: str) -> bool:
        return await self._does("/orders/cancel", {"order": order})

    def count_live(self, order: Any) -> int:
        return sum(line["quantity"] for line in order["current"])

    @staticmethod
    def count_parcels(order: Any) -> int:
        return len(order["parcels"])

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
        "page_shift": {"rate": 1.0},  # few of its answers have a second page
        "cancel_race": {"rate": 0.3},
        "outside_change": {"rate": 0.02},
        "notification_duplicate": {"rate": 0.1},
        "notification_late": {"rate": 0.1, "seconds": 2.0},
        "notification_missing": {"rate": 0.05},
    }

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Sandbox-Token": "sandbox-refresh"}

    async def take_back(self, placed: Placed, chance: random.Random) -> bool:
        """Cancelled, or asked for: then the seller answers, or the buyer does it later."""
        asks = chance.random() < 0.3
        return await self._does("/cancel", {"order_id": placed.id, "ask": asks})

    async def cancel(self, order: str) -> bool:
        return await self._does("/cancel", {"order_id": order})

    @staticmethod
    def is_cancelled(order: Any) -> bool:
        return bool(order["status"] == "CANCELLED")

    @staticmethod
    def count_parcels(order: Any) -> int:
        return len(order["packages"])

    @staticmethod
    def arguments(webhook_url: str, state: Path) -> list[str]:
        """Few patches, so that a backlog goes by feeds; of everything else there is enough."""
        feeds = ("createFeed", "createFeedDocument", "getFeed", "getFeedDocument")
        fast = ["patchListingsItem=8/8", "searchListingsItems=20/20", "searchOrders=1/20", "getOrder=20/30"]
        fast += [f"{operation}=10/20" for operation in feeds]
        limits = [part for limit in fast for part in ("--limit", limit)]
        return [
            *("--state", str(state), "--refresh-token", "sandbox-refresh", "--client-secret", SECRET),
            *("--apply-seconds", "0.2", "--feed-seconds", "1", "--pending-seconds", "0.5"),
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
                "feed_seconds": 1,
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
        "item_refused": {"rate": 0.01},
        "partial_missing": {"rate": 0.03},
        "shuffled": {"rate": 0.2},
        "not_applied": {"rate": 0.02},
        "outside_change": {"rate": 0.02},
        "page_shift": {"rate": 0.1},
        "cancel_race": {"rate": 0.3},
        "notification_duplicate": {"rate": 0.1},
        "notification_late": {"rate": 0.1, "seconds": 2.0},
        "notification_reordered": {"rate": 0.1},
        "notification_missing": {"rate": 0.05},
    }

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": "Bearer sandbox-token"}

    async def take_back(self, placed: Placed, chance: random.Random) -> bool:
        """Asked for, refused, or done."""
        step = chance.choice(("request", "reject", "complete", "complete"))
        return await self._does("/cancel", {"order": placed.id, "step": step})

    async def cancel(self, order: str) -> bool:
        return await self._does("/cancel", {"order": order, "step": "complete"})

    @staticmethod
    def is_cancelled(order: Any) -> bool:
        return bool(order["cancel"] == "CANCELED")

    @staticmethod
    def count_parcels(order: Any) -> int:
        return len(order["shipments"])

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
