"""The demo's fourth channel: companies that order from Lindmoor through Onhand's own API, with no sandbox."""

from __future__ import annotations

from collections.abc import Sequence

from app.channels.connect_channel import ChannelConnect
from app.channels.link_listing import ListingLink
from app.demo.assortment import Product
from app.demo.company import COMPANY, WAREHOUSES
from app.demo.connect_market import connect_and_link, is_connected
from app.state import State

CODE = "b2b"
NAME = f"{COMPANY} direct"


async def connect_direct(state: State, products: Sequence[Product]) -> bool:
    """The channel and a listing of every SKU; whether any of it was to be done."""
    if await is_connected(state, CODE, {}):
        return False
    houses = dict.fromkeys((house.code for house in WAREHOUSES), "")
    wanted = ChannelConnect(CODE, NAME, "B2B", houses, status="LIVE")
    await connect_and_link(state, wanted, [ListingLink(product.code, product.code) for product in products])
    return True
