"""The page, the till, the doors for scripts, and what survives a restart."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from adapters.sandbox.ebay.__main__ import main, read_arguments, read_config
from adapters.sandbox.ebay.config import AccountConfig, AtZero, ConfigError
from adapters.sandbox.ebay.inject_faults import FaultKind, Faults
from adapters.sandbox.faults import FaultError
from tests.adapters.ebay.market import CREDENTIALS, Market, connect, open_market
from tests.within import within

ROOT = Path(__file__).parents[3]
PRODUCTS = [{"sku": "TEA-1", "title": "Green tea", "price": "4.50", "quantity": 10}]
TOKEN = "door-token"


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with open_market() as opened:
        yield opened


async def test_page_shows_the_stock_and_escapes_titles(market: Market) -> None:
    loaded = await market.client.post(
        "/admin-sandbox/products", json=[{"sku": "X-1", "title": "<b>bold</b>", "price": "1", "quantity": 4242}]
    )
    assert loaded.status_code == 201
    assert loaded.json()["offers"]["X-1"]["reference"] == market.reference("X-1")
    page = (await market.client.get("/")).text
    assert "Green tea" in page
    assert "4242 available" in page
    assert "<b>bold</b>" not in page
    assert "Green tea" not in (await market.client.get("/", params={"q": "bold"})).text


async def test_a_person_buys_through_the_form(market: Market) -> None:
    answer = await market.client.post("/buy", data={"sku": "CUP-1", "quantity": "2"})
    assert answer.status_code == 303
    assert "Thank" in (await market.client.get(answer.headers["location"])).text
    sold_out = await market.client.post("/buy", data={"sku": "CUP-1", "quantity": "2"})
    assert "bad=1" in sold_out.headers["location"]
    assert (await market.state())["quantities"]["CUP-1"] == 1


async def test_sells_from_its_own_number_unless_forced(market: Market) -> None:
    refused = await market.client.post("/buy", json={"lines": [{"sku": "CUP-1", "quantity": 4}]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "SOLD_OUT")
    await market.buy("CUP-1", 4, force=True)
    state = await market.state()
    assert (state["quantities"]["CUP-1"], state["order_count"]) == (0, 1)
    await market.faults(oversell=True)
    await market.buy("CUP-1", 1)


@pytest.mark.parametrize(
    ("cart", "code"),
    [
        ({}, "BAD_CART"),
        ({"lines": []}, "BAD_CART"),
        ({"lines": [{"sku": "TEA-1", "quantity": 0}]}, "BAD_CART"),
        ({"lines": [{"sku": "NONE", "quantity": 1}]}, "UNKNOWN_SKU"),
        ({"lines": [{"sku": "TEA-1", "quantity": 1}], "paid": "no"}, "BAD_CART"),
        ({"lines": [{"sku": "TEA-1", "quantity": 1}], "shipping_address": []}, "BAD_CART"),
        ({"lines": [{"sku": "TEA-1", "quantity": 1}], "shipping_address": {"country_code": "DEU"}}, "BAD_CART"),
    ],
)
async def test_wrong_carts_are_refused(market: Market, cart: dict[str, object], code: str) -> None:
    answer = await market.client.post("/buy", json=cart)
    assert answer.json()["error"]["code"] == code
    assert (await market.state())["order_count"] == 0


async def test_the_doors_need_their_token(market: Market) -> None:
    for door in ("/faults", "/admin-sandbox/products"):
        answer = await market.client.post(door, json=[], headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401


async def test_products_are_loaded_all_or_none_and_keep_their_quantity(market: Market) -> None:
    broken = [{"sku": "NEW-1"}, {"sku": "NEW-2", "quantity": -1}]
    assert (await market.client.post("/admin-sandbox/products", json=broken)).status_code == 400
    assert "NEW-1" not in (await market.state())["quantities"]
    again = [{"sku": "TEA-1", "title": "White tea", "quantity": 99}]
    assert (await market.client.post("/admin-sandbox/products", json=again)).status_code == 201
    assert (await market.state())["quantities"]["TEA-1"] == 10


async def test_the_state_remembers_every_write_with_its_cause(market: Market) -> None:
    async with connect(market) as ebay:
        await ebay.set_quantities([market.write("TEA-1", 6)])
    await market.buy("TEA-1", 2)
    await asyncio.sleep(0.01)  # `since` tells writes apart by their time
    await market.faults(outside_changes=[{"sku": "TEA-1", "delta": -1}])
    state = await market.state()
    assert [(entry["cause"], entry["available"]) for entry in state["history"]] == [
        ("api", 6),
        ("order", 4),
        ("outside", 3),
    ]
    assert [(entry["sku"], entry["quantity"]) for entry in state["acknowledgements"]] == [("TEA-1", 6)]
    later = (await market.client.get("/state", params={"since": str(state["history"][2]["at"])})).json()
    assert [entry["cause"] for entry in later["history"]] == ["outside"]
    assert (await market.client.get("/state", params={"since": "x"})).status_code == 400


@pytest.mark.parametrize(
    "faults",
    [{"kind": "gremlin"}, {"kind": "lost_reply", "count": -1}, {"gremlin": 1}, {"latency": 2}, {"latency": {"often": 1}},
     {"seed": "x"}, {"latency": {"seconds": 9_999}}, {"latency": {"times": 1.5}}, {"oversell": 1}, {"outside_changes": [1]}],
)  # fmt: skip
async def test_wrong_faults_change_nothing(market: Market, faults: dict[str, object]) -> None:
    await market.break_it("lost_reply")
    assert (await market.client.post("/faults", json=faults)).status_code == 400
    assert "lost_reply" in (await market.state())["faults"]["active"]


@pytest.mark.parametrize(
    "name", ["lost_reply", "throttled", "error_500", "duplicate_webhook", "missing_webhook", "late_webhook"]
)
async def test_faults_have_the_names_that_all_sandboxes_share(market: Market, name: str) -> None:
    await market.break_it(name)


def test_the_same_seed_strikes_the_same_calls() -> None:
    struck = []
    for _ in range(2):
        faults = Faults()
        faults.replace({"seed": 11, "partial": 0.3})
        struck.append([faults.strike(FaultKind.PARTIAL) is not None for _ in range(50)])
    assert struck[0] == struck[1]
    assert 0 < sum(struck[0]) < 50
    with pytest.raises(FaultError):
        Faults().replace({"seed": 1, "nothing": 1})


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": ""},
        {"verification_token": "short"},
        {"token_seconds": 0},
        {"revisions_per_day": 0},
        {"calls_per_day": {"inventory": 1}},
    ],
)
def test_a_wrong_configuration_is_one_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        AccountConfig(**wrong)  # type: ignore[arg-type]


def test_arguments_are_read(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({"token": "t", "client_secret": "hidden"}))
    config = read_config(
        read_arguments(
            ["--credentials", str(credentials), "--calls-per-day", "9", "--at-zero", "end", "--client-id", "me"]
        )
    )
    assert (config.token, config.client_id, config.client_secret) == ("t", "me", "hidden")
    assert (set(config.calls_per_day.values()), config.at_zero) == ({9}, AtZero.END)


@pytest.mark.parametrize("content", ['{"hello": 1}', '{"format": "ebay-1"}', "[]", "nonsense"])
def test_a_foreign_state_file_is_one_sentence_and_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    path = tmp_path / "account.json"
    path.write_text(content)
    assert main(["--state", str(path)]) == 2
    assert path.read_text() == content
    assert capsys.readouterr().err.count("\n") == 1


async def test_numbers_and_key_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    async with open_market(state_path=path, webhook_url="http://127.0.0.1:9/x") as market:
        placed = await market.buy("TEA-1", 3)
        await market.change("cancel", placed["id"], step="request")
        key = market.account.emit.__self__.key  # type: ignore[attr-defined]
    async with open_market(state_path=path) as market:
        state = await market.state()
        assert state["quantities"]["TEA-1"] == 7
        assert [(order["id"], order["cancel"]) for order in state["orders"]] == [(placed["id"], "IN_PROGRESS")]
        assert len(state["subscriptions"]) == 3
        assert market.account.emit.__self__.key.key_id == key.key_id  # type: ignore[attr-defined]
        assert (await market.buy("TEA-1"))["order_number"] == placed["order_number"] + 1


async def test_a_later_start_may_name_another_endpoint(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    for url in ("http://127.0.0.1:9/a", "http://127.0.0.1:9/b"):
        async with open_market(state_path=path, webhook_url=url) as market:
            assert [one["endpoint"] for one in (await market.state())["destinations"]] == [url]


@contextlib.asynccontextmanager
async def run_account(folder: Path, *more: str) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    (folder / "products.json").write_text(json.dumps(PRODUCTS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapters.sandbox.ebay", "--port", str(port), "--token", TOKEN,
        "--products", str(folder / "products.json"), "--state", str(folder / "account.json"), *more,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'graphql'}"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        try:
            await wait_until_up(client)
            yield client, process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await within(10, process.wait())


async def wait_until_up(client: httpx.AsyncClient) -> None:
    for _ in range(400):
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/healthz")).is_success:
                return
        await asyncio.sleep(0.05)
    pytest.fail("the account did not come up")


async def test_a_kill_keeps_the_numbers_and_never_reuses_an_order_id(tmp_path: Path) -> None:
    cart = {"lines": [{"sku": "TEA-1", "quantity": 3}]}
    async with run_account(tmp_path) as (client, process):
        first = (await client.post("/buy", json=cart)).json()
        await asyncio.sleep(0.6)  # longer than the pause between two saves
        process.kill()
        await process.wait()
    async with run_account(tmp_path, "--client-id", CREDENTIALS.client_id) as (client, _):
        assert (await client.get("/state")).json()["quantities"]["TEA-1"] == 7
        second = (await client.post("/buy", json=cart)).json()
    assert second["order_number"] > first["order_number"] + 1_000
    assert second["id"] != first["id"]
