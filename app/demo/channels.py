"""The marketplaces of the demo: one row each, and one more row is one more channel.

A row names the command of a sandbox (see `app.sandboxes`), what it is started with, and the function that fills
and connects it. What its customers do is in `shoppers`, which the traffic imports without all of this.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.demo.accounts import Account
from app.demo.assortment import Product
from app.demo.shopify import connect_shopify
from app.demo.shopify import list_arguments as list_shopify_arguments
from app.state import State


@dataclass(frozen=True, slots=True)
class DemoChannel:
    """`arguments`: of the data folder, the account and the API's address. `connect`: whether anything was missing."""

    kind: str
    title: str
    arguments: Callable[[Path, Account, str], list[str]]
    connect: Callable[[State, Account, Sequence[Product]], Awaitable[bool]]


DEMO_CHANNELS = (DemoChannel("shopify", "Shopify store", list_shopify_arguments, connect_shopify),)
