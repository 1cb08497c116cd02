"""The sandbox marketplaces: `onhand sandbox NAME` and the demo start the same modules.

The `__main__` of a package here has `main(arguments, prog)`, which serves until SIGTERM and returns an exit code. It
takes `--help`, `--port` and `--credentials FILE`, and answers `GET /healthz`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sandbox:
    package: str
    help: str


SANDBOXES = {
    "shopify": Sandbox(
        "adapters.sandbox.shopify",
        "A store that speaks Shopify's Admin API 2026-07, with a page to buy from, webhooks and faults on command.",
    ),
    "amazon": Sandbox(
        "adapters.sandbox.amazon",
        "A marketplace that speaks Amazon's Selling Partner API, with quotas, feeds, a notification queue and faults.",
    ),
    "ebay": Sandbox(
        "adapters.sandbox.ebay",
        "A seller account that speaks eBay's Sell APIs, with a page to buy from, limits, signed events and faults.",
    ),
    "threepl": Sandbox(
        "adapters.sandbox.threepl",
        "A logistics partner that speaks ShipEngine Connect's contract, with stock, webhooks, faults and defects.",
    ),
}
