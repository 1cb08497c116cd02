"""`onhand up` with its demo: an order at the store to the quantity it shows, and every kind of kill."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from app.find_instance import INSTANCE_FILE
from domain.identity import Role
from tests.up import WAIT_SECONDS, Up, end, start_up, wait_ready, wait_until

DEMO = ("adapters.sandbox.shopify", "app.demo.traffic")
ORDERS = "{ orders(first: 250) { nodes { name status lines { sku quantity allocations { warehouse quantity } } } } }"
SKU = "CUP-ESP-MOS"
RECEIVE = f"""
mutation {{ stockReceive(input: {{warehouse: "LYO-1", lines: [{{sku: "{SKU}", quantity: 7}}]}}) {{
  userErrors {{ message }}
}} }}
"""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


@pytest.fixture(scope="module")
def up(data_dir: Path) -> Iterator[Up]:
    process = start_up(data_dir, "--json")
    yield wait_ready(process)
    if process.poll() is None:
        end(process)


def shop_of(up: Up) -> str:
    return str(up.ready["shops"]["Shopify store"])


def state_of(up: Up) -> Any:
    return httpx.get(f"{shop_of(up)}/state").json()


def count_skus(up: Up) -> int:
    page = "{{ skus(first: 250, after: {after}) {{ nodes {{ id }} pageInfo {{ endCursor }} }} }}"
    first = up.ask(page.format(after="null"))["data"]["skus"]
    second = up.ask(page.format(after=f'"{first["pageInfo"]["endCursor"]}"'))["data"]["skus"]
    return len(first["nodes"]) + len(second["nodes"])


def test_an_order_on_the_page_becomes_an_order_here_and_a_new_quantity_there(up: Up, data_dir: Path) -> None:
    wait_until(lambda: state_of(up)["quantities"][SKU] > 5)
    began = time.time()
    bought = httpx.post(f"{shop_of(up)}/buy", data={"sku": SKU, "quantity": "3"}, follow_redirects=True)
    assert "Thank you: order #" in bought.text
    name = "#" + bought.text.split("order #")[1].split()[0]

    def find_order() -> Any:
        orders = up.ask(ORDERS, data_dir / "tokens" / "SUPPORT")["data"]["orders"]["nodes"]
        return next((order for order in orders if order["name"] == name), None)

    wait_until(lambda: find_order() is not None)
    assert find_order()["status"] == "ALLOCATED"
    assert [(line["sku"], line["quantity"]) for line in find_order()["lines"]] == [(SKU, 3)]
    wait_until(lambda: shows_the_stock(up))
    received = up.ask(RECEIVE, data_dir / "tokens" / "WAREHOUSE")["data"]["stockReceive"]
    assert received["userErrors"] == []
    wait_until(lambda: any(ack["sku"] == SKU and ack["at"] > began for ack in state_of(up)["acknowledgements"]))
    wait_until(lambda: shows_the_stock(up))


def shows_the_stock(up: Up) -> bool:
    levels = up.ask(f'{{ sku(code: "{SKU}") {{ stock {{ available }} }} }}')["data"]["sku"]["stock"]
    return bool(state_of(up)["quantities"][SKU] == sum(level["available"] for level in levels))


def test_each_role_has_its_token(up: Up, data_dir: Path) -> None:
    assert up.ready["tokens"] == str(data_dir / "tokens")
    for role in Role:
        path = data_dir / "tokens" / role
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        me = up.ask("{ me { roles warehouses } }", path)["data"]["me"]
        assert me == {"roles": [role], "warehouses": ["EWR-3PL"] if role is Role.PARTNER else None}


@pytest.mark.parametrize("part", [*DEMO, "adapters.sandbox.amazon", "adapters.sandbox.ebay"])
def test_a_child_of_the_demo_is_told_no_secret(up: Up, data_dir: Path, part: str) -> None:
    (child,) = up.children(part)
    assert not [name for name in child.environ() if name.startswith("ONHAND_")]
    given = " ".join(child.cmdline())
    for path in [*(data_dir / "tokens").iterdir(), data_dir / "sandbox" / "traffic-token"]:
        assert path.read_text().strip() not in given
    for kind in ("shopify", "amazon", "ebay"):
        path = data_dir / "sandbox" / f"{kind}.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        secrets = [value for name, value in json.loads(path.read_text()).items() if name not in ("port", "api_url")]
        assert len(secrets) >= 2
        assert not [secret for secret in secrets if secret in given]


@pytest.mark.parametrize("part", DEMO)
def test_a_killed_child_of_the_demo_is_started_again(up: Up, part: str) -> None:
    (victim,) = up.children(part)
    before = len(state_of(up)["orders"])
    victim.kill()
    wait_until(lambda: [child.pid for child in up.children(part)] not in ([], [victim.pid]))

    def sells_on() -> bool:
        try:
            return len(state_of(up)["orders"]) > before
        except httpx.HTTPError:
            return False

    wait_until(sells_on)


def test_everything_killed_at_once_comes_back_with_everything(up: Up, data_dir: Path) -> None:
    tokens = {path.name: path.read_text() for path in (data_dir / "tokens").iterdir()}
    names = {order["name"] for order in up.ask(ORDERS)["data"]["orders"]["nodes"]}
    processes = [psutil.Process(up.process.pid), *psutil.Process(up.process.pid).children()]
    for process in processes:
        process.kill()
    up.process.communicate()
    assert (data_dir / INSTANCE_FILE).exists()

    second = wait_ready(start_up(data_dir, "--json"))
    assert {path.name: path.read_text() for path in (data_dir / "tokens").iterdir()} == tokens
    assert shop_of(second) == shop_of(up)
    assert count_skus(second) == 300
    assert names <= {order["name"] for order in second.ask(ORDERS)["data"]["orders"]["nodes"]}
    before = len(state_of(second)["orders"])
    wait_until(lambda: len(state_of(second)["orders"]) > before)

    children = psutil.Process(second.process.pid).children()
    assert len(children) >= 8
    second.process.kill()
    second.process.communicate()
    _, alive = psutil.wait_procs(children, timeout=WAIT_SECONDS)
    assert not alive
