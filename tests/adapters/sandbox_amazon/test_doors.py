"""The doors for people, scripts and tests; faults repeat by their seed; the state outlives the process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sandbox.amazon.__main__ import main, read_arguments, read_config
from adapters.sandbox.amazon.config import ConfigError, Limit, MarketConfig, ProductConfig
from adapters.sandbox.amazon.inject_faults import FaultKind, Faults
from adapters.sandbox.amazon.queue_messages import MESSAGES_MAX, Queue
from adapters.sandbox.faults import FaultError
from adapters.sandbox.keep_file import lock_file
from tests.adapters.sandbox_amazon.conftest import Client, message, open_client
from tests.adapters.sandbox_amazon.serving import PRODUCTS, REFRESH_TOKEN, Served, until
from tests.within import within

ROOT = Path(__file__).parents[3]


async def test_buying_by_script(client: Client) -> None:
    market = client.served
    answer = await market.buy("TEA-1", 4)
    assert answer.status_code == 201
    assert (answer.json()["status"], answer.json()["lines"][0]["quantity"]) == ("UNSHIPPED", 4)
    sold_out = await market.buy("TEA-1", 7)
    assert (sold_out.status_code, sold_out.json()["error"]["code"]) == (409, "SOLD_OUT")
    assert (await market.buy("GONE", 1)).status_code == 404
    assert (await market.buy("FBA-1", 1)).status_code == 404
    assert (await market.buy("TEA-1", 7, force=True)).status_code == 201
    state = await market.state()
    assert (state["quantities"]["TEA-1"], state["order_count"]) == (0, 2)


@pytest.mark.parametrize(
    "cart",
    [
        [],
        {"lines": []},
        {"lines": [{"sku": "TEA-1"}]},
        {"lines": [{"sku": "TEA-1", "quantity": 0}]},
        {"lines": [{"sku": "TEA-1", "quantity": 1}], "force": "yes"},
        {"lines": [{"sku": "TEA-1", "quantity": 1}], "pending_seconds": -1},
        {"lines": [{"sku": "TEA-1", "quantity": 1}], "shipping_address": "here"},
    ],
)
async def test_bad_carts_sell_nothing(client: Client, cart: Any) -> None:
    assert (await client.served.client.post("/buy", json=cart)).status_code == 400
    assert (await client.served.state())["order_count"] == 0


async def test_page_escapes_and_sells(client: Client) -> None:
    market = client.served
    products = [{"sku": "<b>", "title": "<script>", "quantity": 2}]
    assert (await market.client.post("/admin-sandbox/products", json=products)).status_code == 201
    page = (await market.client.get("/", params={"q": "script", "note": "<i>"})).text
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    answer = await market.client.post("/buy", data={"sku": "<b>", "quantity": "1"})
    assert (answer.status_code, "Thank+you" in answer.headers["location"]) == (303, True)
    refused = await market.client.post("/buy", data={"sku": "<b>", "quantity": "9"})
    assert "bad=1" in refused.headers["location"]
    assert "from Amazon" in (await market.client.get("/", params={"q": "FBA-1", "page": "99"})).text


async def test_doors_that_need_the_token(client: Client) -> None:
    market = client.served
    for path in ("/faults", "/admin-sandbox/products"):
        answer = await market.client.post(path, json={}, headers={"X-Sandbox-Token": "wrong"})
        assert answer.status_code == 401
    assert (await market.client.get("/healthz")).json() == {"status": "ok"}


async def test_products_all_or_none_and_known_ones_keep_their_stock(client: Client) -> None:
    market = client.served
    bad = [{"sku": "NEW", "quantity": 1}, {"sku": "WORSE", "quantity": -1}]
    assert (await market.client.post("/admin-sandbox/products", json=bad)).status_code == 400
    assert "NEW" not in (await market.state())["quantities"]
    good = [{"sku": "TEA-1", "title": "Greener tea", "quantity": 99}, {"sku": "NEW", "quantity": 5}]
    assert (await market.client.post("/admin-sandbox/products", json=good)).json()["loaded"] == 2
    state = await market.state()
    assert (state["quantities"]["TEA-1"], state["quantities"]["NEW"]) == (10, 5)


@pytest.mark.parametrize(
    "faults",
    [
        [],
        {"nonsense": 1},
        {"latency": {"rate": 2}},
        {"latency": {"times": -1}},
        {"latency": {"seconds": 1e9}},
        {"latency": "much"},
        {"seed": "x"},
        {"kind": "nonsense"},
        {"kind": "lost_reply", "count": -1},
        {"oversell": 1},
        {"outside_changes": [{"sku": "GONE", "delta": 1}]},
    ],
)
async def test_badly_described_faults_change_nothing(client: Client, faults: Any) -> None:
    assert (await client.served.client.post("/faults", json=faults)).status_code == 400
    assert (await client.served.state())["faults"]["active"] == {}


async def test_outside_changes_and_overselling_act_at_once(client: Client) -> None:
    await client.served.set_faults(oversell=True, outside_changes=[{"sku": "TEA-1", "delta": -8}])
    assert (await client.served.buy("TEA-1", 5)).status_code == 201
    state = await client.served.state()
    assert (state["quantities"]["TEA-1"], state["oversell"]) == (0, True)
    assert [entry["cause"] for entry in state["history"]] == ["outside", "order"]


async def test_buyers_cancel_through_a_door(client: Client) -> None:
    placed = (await client.served.buy("TEA-1", 4)).json()
    assert (await client.served.cancel("902-0-0")).status_code == 404
    assert (await client.served.cancel(placed["id"])).json()["status"] == "CANCELLED"
    last = (await client.served.state())["history"][-1]
    assert (last["cause"], last["delta"], last["order"], last["removed"]) == ("cancel", 4, placed["id"], 4)
    assert (await client.served.cancel(placed["id"])).status_code == 409


RETURNS = "/externalFulfillment/2024-09-11/returns"


async def ship_two(client: Client) -> str:
    """An order of two units of TEA-1 that are on their way."""
    placed = (await client.served.buy("TEA-1", 2)).json()
    detail = {
        "packageReferenceId": "1",
        "carrierCode": "UPS",
        "trackingNumber": "1Z",
        "shipDate": "2026-01-01T00:00:00Z",
        "orderItems": [{"orderItemId": placed["lines"][0]["id"], "quantity": 2}],
    }
    path = f"/orders/v0/orders/{placed['id']}/shipmentConfirmation"
    body = {"marketplaceId": "ATVPDKIKX0DER", "packageDetail": detail}
    assert (await client.send("POST", path, body)).status_code == 204
    return str(placed["id"])


async def test_buyers_send_back_through_a_door_and_carriers_move_it_through_another(client: Client) -> None:
    http, order = client.served.client, await ship_two(client)
    lines = [{"sku": "TEA-1", "quantity": 1}, {"sku": "TEA-1", "quantity": 2}]
    given = {"order_id": order, "lines": lines, "reason": "Stale", "kind": "REPLACEMENT"}
    opened = await http.post("/return", json=given)
    assert opened.status_code == 201
    first, second = opened.json()["returns"]
    assert [one["numberOfUnits"] for one in (first, second)] == [1, 2]
    assert (first["returnMetadata"]["returnReason"], first["returnSubType"]) == ("Stale", "REPLACEMENT")
    moved = await http.post("/return-status", json={"return": first["id"], "status": "DELIVERED"})
    assert (moved.status_code, moved.json()["status"]) == (200, "DELIVERED")
    listed = (await client.send("GET", RETURNS, createdSince="2026-01-01T00:00:00Z")).json()["returns"]
    assert listed == [moved.json(), second], "the API shows what the doors did"
    assert (await client.served.state())["quantities"]["TEA-1"] == 8, "a return is no stock"


async def test_returns_that_are_none_are_refused_at_the_doors(client: Client) -> None:
    http, order = client.served.client, await ship_two(client)
    one = {"sku": "TEA-1", "quantity": 1}
    for given, status in (
        ({}, 404),
        ({"order_id": "902-0-0", "lines": [one]}, 404),
        ({"order_id": order}, 400),
        ({"order_id": order, "lines": []}, 400),
        ({"order_id": order, "lines": ["TEA-1"]}, 400),
        ({"order_id": order, "lines": [one], "kind": "GIFT"}, 400),
        ({"order_id": order, "lines": [{**one, "quantity": 3}]}, 409),
        ({"order_id": order, "lines": [one, {"sku": "CUP-1", "quantity": 1}]}, 409),
    ):
        assert (await http.post("/return", json=given)).status_code == status, given
    assert (await client.send("GET", RETURNS, createdSince="2026-01-01T00:00:00Z")).json()["returns"] == []
    made = (await http.post("/return", json={"order_id": order, "lines": [one]})).json()["returns"][0]
    for moved, status in (({}, 404), ({"return": "x"}, 404), ({"return": made["id"], "status": "LOST"}, 400)):
        assert (await http.post("/return-status", json=moved)).status_code == status, moved
    assert (await client.send("GET", RETURNS, createdSince="2026-01-01T00:00:00Z")).json()["returns"] == [made]


async def test_state_since_leaves_out_the_older(client: Client) -> None:
    await client.served.buy("TEA-1", 1)
    moment = (await client.served.state())["orders"][0]["at"]
    await client.served.buy("CUP-1", 1)
    later = (await client.served.client.get("/state", params={"since": moment + 1e-6})).json()
    assert [order["lines"][0]["sku"] for order in later["orders"]] == ["CUP-1"]
    assert (await client.served.client.get("/state", params={"since": "x"})).status_code == 400


def test_faults_repeat_by_their_seed() -> None:
    def draw(seed: int) -> list[bool]:
        faults = Faults()
        faults.replace({"seed": seed, "lost_reply": 0.5})
        return [faults.strike(FaultKind.LOST_REPLY) is not None for _ in range(50)]

    assert draw(7) == draw(7) != draw(8)


@pytest.mark.parametrize("kind", [*FaultKind, "late_webhook", "error_500"])
def test_every_fault_is_counted_and_ends(kind: str) -> None:
    faults = Faults()
    faults.add_counted({"kind": kind, "count": 2})
    [active] = faults.active
    assert [faults.strike(active) is not None for _ in range(4)] == [True, True, False, False]
    with pytest.raises(FaultError):
        faults.add_counted({"kind": kind, "count": 10**9})


def test_full_queue_drops_and_counts() -> None:
    queue = Queue(random.Random(0))
    for _ in range(MESSAGES_MAX + 3):
        queue.publish("{}", 0)
    assert (len(queue.messages), queue.dropped) == (MESSAGES_MAX, 3)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"sku": "A", "quantity": "1"},
        {"sku": "A", "price": "cheap"},
        {"sku": "A", "price": "-1"},
        {"sku": "A", "price": "NaN"},
        {"sku": "A", "lead_time_days": 31},
    ],
)
def test_bad_products(raw: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ProductConfig.parse(raw)


def test_bad_configurations() -> None:
    for text in ("5", "x/1", "0/5", "5/0", "inf/5"):
        with pytest.raises(ConfigError):
            Limit.parse(text)
    for wrong in ({"client_secret": ""}, {"seller_id": ""}, {"limits": {"fly": Limit(1, 1)}}):
        with pytest.raises(ConfigError):
            MarketConfig(**wrong)


def test_foreign_state_file_is_one_sentence_and_no_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "market.json"
    path.write_text('{"hello": 1}')
    assert main(["--state", str(path)]) == 2
    assert main(["--limit", "fly=1/1"]) == 2
    assert path.read_text() == '{"hello": 1}'
    assert len(capsys.readouterr().err.strip().splitlines()) == 2


def test_a_client_id_is_kept_beside_a_file_of_secrets(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text('{"client_secret": "x", "refresh_token": "y", "port": 1}')
    config = read_config(read_arguments(["--credentials", str(credentials), "--client-id", "mine"]))
    assert (config.client_id, config.client_secret, config.refresh_token) == ("mine", "x", "y")


def test_start_refuses_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text('{"client_secret": "x"}')
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["--credentials", str(credentials)]) == 2
        assert main(["--port", str(taken.getsockname()[1])]) == 2
        assert main(["--port", "99999999"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert "client_secret and a refresh_token" in lines[0]
    assert all("give another --port" in line for line in lines[1:])
    assert len(lines) == 3


def test_one_state_file_serves_one_marketplace(tmp_path: Path) -> None:
    path = tmp_path / "market.json"
    with lock_file(path), pytest.raises(OSError, match="another sandbox"), lock_file(path, 0.1):
        pytest.fail("both hold it")
    with lock_file(path, 0.0):
        assert path.with_name("market.json.lock").exists()


async def test_everything_under_way_outlives_a_restart(tmp_path: Path) -> None:
    """A feed in its queue, a patch not yet applied, an unpaid order, an unread notification."""
    path = tmp_path / "market.json"
    slow = {"apply_seconds": 0.6, "feed_queue_seconds": 0.5, "pending_seconds": 0.7, "state_path": path}
    async with open_client(**slow) as client:
        feed = (await client.submit([message(1, "CUP-1", 2)])).json()["feedId"]
        await client.patch("TEA-1", quantity=4)
        placed = (await client.served.buy("POT/1 a", 1)).json()
        before = await client.served.state()
        assert before["quantities"] == {"TEA-1": 10, "CUP-1": 3, "POT/1 a": 6, "FBA-1": 0}
    async with open_client(**slow) as client:
        again = (await client.served.state())["notifications"]["pending"]
        assert again == before["notifications"]["pending"] == 2
        await client.served.wait_for("TEA-1", 4)
        await client.served.wait_for("CUP-1", 2)
        market = client.served.market
        await until(lambda: market.state.orders[placed["id"]].status == "UNSHIPPED")
        assert market.state.feeds[feed].status == "DONE"
        assert market.state.listings["TEA-1"].entries[0]["quantity"] == 4
        second = (await client.served.buy("TEA-1", 1)).json()
    assert second["id"] == "902-0000000-0000002"


@contextlib.asynccontextmanager
async def run_process(folder: Path, *more: str) -> AsyncIterator[tuple[Served, asyncio.subprocess.Process]]:
    credentials, products = folder / "credentials.json", folder / "products.json"
    credentials.write_text(json.dumps({"client_secret": "hush", "refresh_token": REFRESH_TOKEN}))
    products.write_text(json.dumps([asdict(product) for product in PRODUCTS]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapters.sandbox.amazon", "--port", str(port), "--credentials", str(credentials),
        "--products", str(products), "--state", str(folder / "market.json"), "--pending-seconds", "0", *more,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'graphql'}"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    headers = {"X-Sandbox-Token": REFRESH_TOKEN}
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, verify=False) as client:
        try:
            await wait_until_up(client)
            yield Served(url, None, client), process  # type: ignore[arg-type]
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await within(10, process.wait())


async def wait_until_up(client: httpx.AsyncClient) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/healthz")).is_success:
                return
        await asyncio.sleep(0.05)
    pytest.fail("the marketplace did not come up")


async def test_kill_keeps_the_numbers_and_never_reuses_an_order_id(tmp_path: Path) -> None:
    async with run_process(tmp_path) as (market, process):
        first = (await market.buy("TEA-1", 3)).json()
        await asyncio.sleep(0.6)  # longer than the pause between two saves
        process.kill()
        await process.wait()
    async with run_process(tmp_path, "--limit", "getOrder=9/9") as (market, _):
        assert (await market.state())["quantities"]["TEA-1"] == 7
        second = (await market.buy("TEA-1", 1)).json()
    assert int(second["id"].replace("-", "")) > int(first["id"].replace("-", "")) + 1000
