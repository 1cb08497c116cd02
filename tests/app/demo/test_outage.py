"""A marketplace of the demo goes away while everything sells on, and comes back: nothing is left behind.

`ONHAND_TEST_OUTAGE_SECONDS=60` makes it a minute.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from adapters.trust_system import trust_system
from app.demo.assortment import build_assortment
from app.demo.channels import DEMO_CHANNELS
from app.demo.ranges import list_range
from tests.up import Up, end, start_up, wait_ready, wait_until

OUTAGE_SECONDS = float(os.environ.get("ONHAND_TEST_OUTAGE_SECONDS", "3"))
SETTINGS = {"ONHAND_OBSERVE_AGAIN_SECONDS": "2", "ONHAND_ORDERS_POLL_SECONDS": "2", "ONHAND_DRIFT_SECONDS": "5"}
pytestmark = pytest.mark.timeout(120 + 3 * OUTAGE_SECONDS)
TITLES = {channel.kind: channel.title for channel in DEMO_CHANNELS}
LISTINGS = """
{ listings(first: 250, filter: {channel: "%s"}, after: %s) {
  nodes { published acknowledged observed lastObservedAt state sku { code } } pageInfo { hasNextPage endCursor }
} }
"""
CASES = """
{ exceptionCases(filter: {channel: "%s"}, first: 250) {
  nodes { kind title state resolution openedAt proof } pageInfo { hasNextPage }
} }
"""
RECEIVE = """
mutation { stockReceive(input: {warehouse: "HAM-1", lines: [{sku: "%s", quantity: 3}]}) { userErrors { message } } }
"""
RESERVE = """
mutation { reservationCreate(input: {lines: [{sku: "%s", quantity: 1}]}) { userErrors { code } } }
"""
FOR_PEOPLE = ("OVERSELL", "ORDER_PROBLEM")
"""What a marketplace sold before it heard of the last unit, and what it sold that nobody knows, are true: no look at
the marketplace makes them right, only a decision or goods do."""


@dataclass
class Market:
    """One sandbox of a running demo; its channel has the code of its kind."""

    up: Up
    kind: str

    @property
    def url(self) -> str:
        return str(self.up.ready["shops"][TITLES[self.kind]])

    def state(self) -> Any:
        return httpx.get(f"{self.url}/state", timeout=20, verify=trust_system()).json()

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", verify=trust_system()).is_success
        except httpx.HTTPError:
            return False

    def listings(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        after = "null"
        while after:
            page = self.up.ask(LISTINGS % (self.kind, after))["data"]["listings"]
            found |= {node["sku"]["code"]: node for node in page["nodes"]}
            after = f'"{page["pageInfo"]["endCursor"]}"' if page["pageInfo"]["hasNextPage"] else ""
        return found

    def cases(self, since: datetime) -> list[Any]:
        """Of all kinds, opened since then."""
        page = self.up.ask(CASES % self.kind)["data"]["exceptionCases"]
        assert not page["pageInfo"]["hasNextPage"]
        return [case for case in page["nodes"] if datetime.fromisoformat(case["openedAt"]) > since]

    def outages(self, since: datetime) -> list[Any]:
        return [case for case in self.cases(since) if case["kind"] == "CHANNEL_DOWN"]

    def find_unproven(self, since: datetime) -> list[Any]:
        """Cases that should have ended by an observation and have not."""
        ended = [case for case in self.cases(since) if case["kind"] not in FOR_PEOPLE]
        return [
            case for case in ended if (case["state"], case["resolution"]) != ("RESOLVED", "AUTO") or not case["proof"]
        ]

    def find_differences(self, since: datetime) -> list[str]:
        """Listings not seen since then, or not the same everywhere: desired, acknowledged, observed, and shown."""
        shown = self.state()["quantities"]
        return [
            code
            for code, row in self.listings().items()
            if row["state"] != "IN_SYNC"
            or row["lastObservedAt"] is None
            or datetime.fromisoformat(row["lastObservedAt"]) <= since
            or {row["published"], row["acknowledged"], row["observed"]} != {shown[code]}
        ]


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    process = start_up(tmp_path_factory.mktemp("outage") / "data", "--json", settings=SETTINGS)
    yield wait_ready(process)
    end(process)


@contextmanager
def stopped(up: Up, market: Market) -> Iterator[None]:
    """The sandbox ends; the supervisor, which would start it again at once, stands still until the block ends."""
    supervisor = psutil.Process(up.process.pid)
    (sandbox,) = up.children(f"adapters.sandbox.{market.kind}")
    supervisor.suspend()
    try:
        sandbox.terminate()
        wait_until(lambda: sandbox.status() == psutil.STATUS_ZOMBIE)
        yield
    finally:
        supervisor.resume()


@contextmanager
def resting(up: Up) -> Iterator[None]:
    """No traffic of the demo, so that numbers may be compared."""
    (traffic,) = up.children("app.demo.traffic")
    traffic.suspend()
    try:
        yield
    finally:
        traffic.resume()


def trade(up: Up, without: Market, seconds: float) -> None:
    """Orders at the other marketplaces, carts and deliveries, all of what `without` sells too."""
    tokens = Path(up.ready["tokens"])
    dice = random.Random(without.kind)
    shops = [Market(up, kind).url for kind in TITLES if kind != without.kind]
    ranges = [{product.code for product in list_range(kind, build_assortment())} for kind in TITLES]
    codes = sorted(set.intersection(*ranges))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        lines = [{"sku": dice.choice(codes), "quantity": 1}]
        sold = httpx.post(f"{dice.choice(shops)}/buy", json={"lines": lines}, verify=trust_system())
        assert sold.status_code in (httpx.codes.CREATED, httpx.codes.CONFLICT)
        for query, role in ((RECEIVE, "WAREHOUSE"), (RESERVE, "SUPPORT")):
            assert "errors" not in up.ask(query % dice.choice(codes), tokens / role)
        time.sleep(0.1)


@pytest.mark.parametrize("kind", sorted(TITLES))
def test_after_an_outage_every_listing_is_right_and_the_case_has_its_proof(up: Up, kind: str) -> None:
    market = Market(up, kind)
    wait_until(lambda: all(row["acknowledged"] is not None for row in market.listings().values()))
    gone = datetime.now(UTC)
    with stopped(up, market):
        assert not market.answers()
        trade(up, market, OUTAGE_SECONDS)
        wait_until(lambda: [case["state"] for case in market.outages(gone)] == ["OPEN"])
        waiting = [code for code, row in market.listings().items() if row["published"] != row["acknowledged"]]
        assert waiting, "nothing that the marketplace should have heard happened"
        back = datetime.now(UTC)
    wait_until(market.answers)
    with resting(up):
        wait_until(lambda: not market.find_differences(back))
        wait_until(lambda: not market.find_unproven(gone))
    assert len(market.listings()) == len(list_range(kind, build_assortment()))
    (case,) = market.outages(gone)
    assert datetime.fromisoformat(case["proof"]["at"]) > back
    assert up.ask("{ me { roles } }")["data"], "and the API has stayed"
