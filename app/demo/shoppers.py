"""What customers of each demo channel do: one function for each, and one row."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import httpx

from app.demo.assortment import Product

LINES = ((1, 0.55), (2, 0.3), (3, 0.15))
UNITS = ((1, 0.72), (2, 0.2), (4, 0.08))
"""(how many, how likely)."""


class Town(NamedTuple):
    name: str
    zip: str
    country: str
    country_code: str
    latitude: float
    longitude: float


TOWNS = (
    Town("Berlin", "10115", "Germany", "DE", 52.532, 13.385),
    Town("Köln", "50667", "Germany", "DE", 50.938, 6.957),
    Town("München", "80331", "Germany", "DE", 48.137, 11.573),
    Town("Amsterdam", "1012 AB", "Netherlands", "NL", 52.373, 4.893),
    Town("København", "1050", "Denmark", "DK", 55.681, 12.584),
    Town("Paris", "75003", "France", "FR", 48.863, 2.359),
    Town("Marseille", "13001", "France", "FR", 43.297, 5.381),
    Town("Milano", "20121", "Italy", "IT", 45.472, 9.192),
    Town("Barcelona", "08002", "Spain", "ES", 41.382, 2.177),
    Town("Warszawa", "00-001", "Poland", "PL", 52.230, 21.011),
    Town("Praha", "110 00", "Czechia", "CZ", 50.088, 14.421),
    Town("Wien", "1010", "Austria", "AT", 48.208, 16.372),
    Town("New York", "10013", "United States", "US", 40.720, -74.005),
    Town("Boston", "02108", "United States", "US", 42.358, -71.064),
)
FIRST_NAMES = ("Ada", "Bruno", "Clara", "Dario", "Elin", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kira", "Luca")
LAST_NAMES = ("Adler", "Berg", "Costa", "Duval", "Eklund", "Fabre", "Grau", "Holm", "Kowal", "Lind", "Moser", "Novak")


@dataclass(frozen=True, slots=True)
class Basket:
    """`lines`: units by SKU code."""

    lines: Mapping[str, int]
    first_name: str
    last_name: str
    town: Town

    @property
    def email(self) -> str:
        return f"{self.first_name}.{self.last_name}@example.com".lower()


def fill_basket(dice: random.Random, products: Sequence[Product]) -> Basket:
    """Somebody somewhere wants a few things, the best sellers most of the time."""
    count = _draw(dice, LINES)
    wanted = dice.choices(products, [product.demand for product in products], k=count)
    lines = {product.code: _draw(dice, UNITS) for product in wanted}
    return Basket(lines, dice.choice(FIRST_NAMES), dice.choice(LAST_NAMES), dice.choice(TOWNS))


def _draw(dice: random.Random, chances: Sequence[tuple[int, float]]) -> int:
    return dice.choices([value for value, _ in chances], [chance for _, chance in chances])[0]


async def buy_at_shopify(http: httpx.AsyncClient, url: str, basket: Basket) -> bool:
    """Order at the sandbox store's till; False when something is sold out. Raises `httpx.HTTPError`."""
    town = basket.town
    names = {"first_name": basket.first_name, "last_name": basket.last_name}
    where = {"country": town.country, "latitude": town.latitude, "longitude": town.longitude}
    return await _buy(http, url, basket, {**names, **where})


async def buy_at_market(http: httpx.AsyncClient, url: str, basket: Basket) -> bool:
    """The same at the sandboxes of Amazon and eBay, whose tills are alike."""
    return await _buy(http, url, basket, {"name": f"{basket.first_name} {basket.last_name}"})


async def _buy(http: httpx.AsyncClient, url: str, basket: Basket, person: Mapping[str, object]) -> bool:
    town = basket.town
    address = {
        **person,
        "address1": "1 Market Square",
        "zip": town.zip,
        "city": town.name,
        "country_code": town.country_code,
    }
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in basket.lines.items()]
    answer = await http.post(f"{url}/buy", json={"lines": lines, "email": basket.email, "shipping_address": address})
    if answer.status_code == httpx.codes.CONFLICT:
        return False
    answer.raise_for_status()
    return True


Shopper = Callable[[httpx.AsyncClient, str, Basket], Awaitable[bool]]
SHOPPERS: dict[str, Shopper] = {"shopify": buy_at_shopify, "amazon": buy_at_market, "ebay": buy_at_market}
