"""Gentle traffic for the demo: customers buy, carts come and go, suppliers deliver, warehouses ship. Without end.

    python -m app.demo.traffic --api URL --token-file FILE --floor-token-file FILE --partner-token-file FILE
        --shop KIND=URL

It uses the doors everybody uses, the shops' tills and the public API, through which companies order directly, and
keeps nothing: whatever is restarted, it goes on. A delivery fills up what it finds low, so stock never runs dry for
long.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import structlog

from app.demo.assortment import CURRENCY, Product, build_assortment
from app.demo.company import StockPlan, plan_stock
from app.demo.ranges import list_range
from app.demo.shoppers import SHOPPERS, Shopper, fill_basket
from app.demo.work_floor import work_floor
from app.demo.work_partner import work_partner

PAUSE_SECONDS = 1.0
"""Between two actions, on average."""
PAUSE_SECONDS_MIN = 0.3
TIMEOUT_SECONDS = 10.0
CARTS_MAX = 40
CART_SECONDS = 240
DIRECT = "b2b"
"""The channel of those who order through the API."""
LOOKED_AT = 30
"""SKUs that one delivery looks at."""
MISSING_MIN, MISSING_SHARE = 2, 0.05
"""What a delivery is worth: units missing of a SKU's plan, and at least this share of it."""
_RESERVE = """
mutation Reserve($input: ReservationCreateInput!) { reservationCreate(input: $input) { reservation { id } } }
"""
_RELEASE = """
mutation Release($input: ReservationReleaseInput!) { reservationRelease(input: $input) { userErrors { code } } }
"""
_ORDER = """
mutation Order($input: OrderCreateInput!) { orderCreate(input: $input) { userErrors { code message } } }
"""
_LEVELS = """
query Levels($filter: StockLevelFilter!, $first: Int!) {
  stockLevels(filter: $filter, first: $first) { nodes { available sku { code } } }
}
"""
_RECEIVE = """
mutation Receive($input: StockReceiveInput!) { stockReceive(input: $input) { userErrors { code message } } }
"""
log = structlog.get_logger()


class NotAnswered(Exception):
    """The API answered with an error; the message is its own."""


@dataclass(frozen=True, slots=True)
class Shop:
    """A till, its address, and what is sold there."""

    shopper: Shopper
    url: str
    products: Sequence[Product]


@dataclass(slots=True)
class Traffic:
    """`carts`: ids of reservations that may still be held. `floor_token_file`: of those who work in warehouses.

    `partner_token_file`: of those who work in the partner's.
    """

    http: httpx.AsyncClient
    api: str
    token_file: Path
    floor_token_file: Path
    partner_token_file: Path
    shops: Sequence[Shop]
    products: Mapping[str, Product]
    plan: StockPlan
    dice: random.Random = field(default_factory=random.Random)
    carts: deque[str] = field(default_factory=lambda: deque(maxlen=CARTS_MAX))

    async def ask(self, query: str, variables: Mapping[str, Any]) -> Any:
        """The answer's data. Raises `NotAnswered`, `httpx.HTTPError`, or OSError without a token."""
        return await self._ask(self.token_file, query, variables)

    async def ask_floor(self, query: str, variables: Mapping[str, Any]) -> Any:
        """The same for those who work in the warehouses."""
        return await self._ask(self.floor_token_file, query, variables)

    async def ask_partner(self, query: str, variables: Mapping[str, Any]) -> Any:
        """The same for the partner's people."""
        return await self._ask(self.partner_token_file, query, variables)

    async def _ask(self, token_file: Path, query: str, variables: Mapping[str, Any]) -> Any:
        token = (await asyncio.to_thread(token_file.read_text)).strip()
        answer = await self.http.post(
            f"{self.api}/graphql",
            json={"query": query, "variables": variables},
            headers={"authorization": f"Bearer {token}"},
        )
        body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
        if body.get("errors"):
            raise NotAnswered(str(body["errors"][0].get("message")))
        answer.raise_for_status()
        return body["data"]


async def buy(traffic: Traffic) -> None:
    """A customer of one of the shops."""
    shop = traffic.dice.choice(traffic.shops)
    await shop.shopper(traffic.http, shop.url, fill_basket(traffic.dice, shop.products))


async def reserve(traffic: Traffic) -> None:
    """Whoever buys directly holds what is wanted, through the API. What is sold out is not, and that is all."""
    basket = fill_basket(traffic.dice, list(traffic.products.values()))
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in basket.lines.items()]
    reference = f"cart-{traffic.dice.randrange(10**6):06}"
    made = await traffic.ask(
        _RESERVE, {"input": {"lines": lines, "expiresInSeconds": CART_SECONDS, "reference": reference}}
    )
    if made["reservationCreate"]["reservation"] is not None:
        traffic.carts.append(made["reservationCreate"]["reservation"]["id"])


async def order(traffic: Traffic) -> None:
    """A company orders directly, through the API, once however often it has to ask."""
    basket = fill_basket(traffic.dice, list(traffic.products.values()))
    number, town = f"PO-{traffic.dice.randrange(10**9):09}", basket.town
    person = {"name": f"{basket.first_name} {basket.last_name}", "lines": ["1 Market Square"]}
    address = {**person, "city": town.name, "postalCode": town.zip, "countryCode": town.country_code}
    lines = [{"sku": sku, "quantity": quantity} for sku, quantity in basket.lines.items()]
    wanted = {"channel": DIRECT, "externalId": number, "lines": lines, "address": address, "email": basket.email}
    made = await traffic.ask(_ORDER, {"input": {**wanted, "idempotencyKey": number}})
    for error in made["orderCreate"]["userErrors"]:
        raise NotAnswered(error["message"])


async def release(traffic: Traffic) -> None:
    """Somebody leaves a cart; one that has expired meanwhile is refused, which is as good."""
    if traffic.carts:
        await traffic.ask(_RELEASE, {"input": {"id": traffic.carts.popleft()}})


async def replenish(traffic: Traffic) -> None:
    """A supplier fills up what is low in one warehouse, among some of what sells."""
    warehouse = traffic.dice.choice(list(traffic.plan))
    planned = traffic.plan[warehouse]
    demands = [traffic.products[code].demand for code in planned]
    codes = sorted(set(traffic.dice.choices(list(planned), demands, k=LOOKED_AT)))
    wanted = {"filter": {"skus": codes, "warehouses": [warehouse]}, "first": len(codes)}
    levels = (await traffic.ask(_LEVELS, wanted))["stockLevels"]["nodes"]
    missing = {level["sku"]["code"]: planned[level["sku"]["code"]] - level["available"] for level in levels}
    lines = [
        {"sku": code, "quantity": units, "unitCost": _cost(traffic.products[code])}
        for code, units in missing.items()
        if units >= max(MISSING_MIN, planned[code] * MISSING_SHARE)
    ]
    if lines:
        reference = f"PO-{traffic.dice.randrange(10**6):06}"
        await traffic.ask(_RECEIVE, {"input": {"warehouse": warehouse, "reference": reference, "lines": lines}})


def _cost(product: Product) -> dict[str, str]:
    return {"amount": str(product.unit_cost), "currency": CURRENCY}


async def work(traffic: Traffic) -> None:
    """The warehouses go on with what is before them."""
    await work_floor(traffic.ask_floor, traffic.dice)


async def deliver(traffic: Traffic) -> None:
    """The partner goes on with what it was given."""
    await work_partner(traffic.ask_partner, traffic.dice)


Action = Callable[[Traffic], Awaitable[None]]
ACTIONS: tuple[tuple[Action, float], ...] = (
    *((buy, 0.35), (order, 0.09), (reserve, 0.12)),
    *((release, 0.1), (replenish, 0.12), (work, 0.17), (deliver, 0.08)),
)
"""(what, how likely)."""


async def run_traffic(traffic: Traffic, pause_seconds: float = PAUSE_SECONDS) -> None:
    """Act and rest, until cancelled. What fails is logged once, and once more when it works again."""
    failing: set[str] = set()
    actions, chances = zip(*ACTIONS, strict=True)
    while True:
        action = traffic.dice.choices(actions, chances)[0]
        try:
            await action(traffic)
        except (httpx.HTTPError, NotAnswered, OSError) as error:
            if action.__name__ not in failing:
                log.warning("an action fails", action=action.__name__, error=repr(error))
            failing.add(action.__name__)
        else:
            if action.__name__ in failing:
                log.info("an action works again", action=action.__name__)
            failing.discard(action.__name__)
        await asyncio.sleep(max(PAUSE_SECONDS_MIN, traffic.dice.uniform(0.5, 1.5) * pause_seconds))


def read_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.demo.traffic", description="Gentle traffic for the demo.")
    parser.add_argument("--api", required=True, help="where Onhand serves, as http://127.0.0.1:8000")
    parser.add_argument("--token-file", required=True, type=Path, help="a token that may read and write stock")
    parser.add_argument("--floor-token-file", required=True, type=Path, help="a token that may fulfil orders")
    parser.add_argument("--partner-token-file", required=True, type=Path, help="the token of the demo's partner")
    parser.add_argument("--shop", action="append", required=True, help="KIND=URL of a marketplace; may be repeated")
    parser.add_argument("--pause-seconds", type=float, default=PAUSE_SECONDS, help="between actions (%(default)s)")
    return parser.parse_args(arguments)


async def main(arguments: Sequence[str]) -> None:
    given = read_arguments(arguments)
    products = build_assortment()
    named = [shop.partition("=") for shop in given.shop]
    shops = [Shop(SHOPPERS[kind], url, list_range(kind, products)) for kind, _, url in named]
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as http:
        by_code = {product.code: product for product in products}
        tokens = (given.token_file, given.floor_token_file, given.partner_token_file)
        traffic = Traffic(http, given.api, *tokens, shops, by_code, plan_stock(products))
        await run_traffic(traffic, given.pause_seconds)


if __name__ == "__main__":
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    asyncio.run(main(sys.argv[1:]))
