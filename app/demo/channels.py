"""The marketplaces of the demo: one row each, and one more row is one more channel.

A row names the command of a sandbox (see `app.sandboxes`), what it is started with, and the function that fills
and connects it. Direct B2B has no sandbox (`direct`). What customers do is in `shoppers`, which the traffic imports
without all of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.demo import amazon, ebay, shopify
from app.demo.accounts import Account
from app.demo.assortment import Product
from app.state import State


@dataclass(frozen=True, slots=True)
class DemoChannel:
    """`secrets`: names of its credentials. `arguments`: of the data folder and the account.

    `connect`: whether anything was missing; it gets what the channel sells (`ranges`).
    """

    kind: str
    title: str
    secrets: Sequence[str]
    arguments: Callable[[Path, Account], list[str]]
    connect: Callable[[State, Account, Sequence[Product]], Awaitable[bool]]


DEMO_CHANNELS = (
    DemoChannel("shopify", "Shopify store", shopify.SECRETS, shopify.list_arguments, shopify.connect_shopify),
    DemoChannel("amazon", "Amazon marketplace", amazon.SECRETS, amazon.list_arguments, amazon.connect_amazon),
    DemoChannel("ebay", "eBay account", ebay.SECRETS, ebay.list_arguments, ebay.connect_ebay),
)
