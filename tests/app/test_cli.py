"""The `onhand` command, in this process: every command explains itself, and what is wrong is one sentence."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from typer.main import get_command

from app.catalog.upsert import SkuLine, upsert_skus
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.cli import app
from app.find_instance import GIVEN, INSTANCE_FILE, leave_instance
from app.settings import Settings
from app.state import open_state
from tests.app.conftest import Run
from tests.app.test_import import HEADING
from tests.seed import make_catalog


def list_commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, part in getattr(command, "commands", {}).items():
        yield from list_commands(part, (*path, name))


@pytest.mark.parametrize("path", list(list_commands(get_command(app))), ids=" ".join)
def test_every_command_explains_itself(run: Run, path: tuple[str, ...]) -> None:
    code, said = run(*path, "--help")
    assert code == 0
    assert " ".join(("sage: onhand", *path)) in said
    assert "--help" in said


def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


port = pytest.fixture(taken_port)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ONHAND_DATABASE_URL", "mysql://here", "ONHAND_DATABASE_URL is wrong: must look like postgresql://"),
        (
            "ONHAND_DATABASE_URL",
            "postgresql://here:door/x",
            "ONHAND_DATABASE_URL is wrong: must look like postgresql://",
        ),
        ("ONHAND_REDIS_URL", "http://here", "ONHAND_REDIS_URL is wrong: must look like redis://"),
        ("ONHAND_COMBINE_BATCH_MAX", "many", "ONHAND_COMBINE_BATCH_MAX is wrong"),
        ("ONHAND_SECRET_KEY", "short", "ONHAND_SECRET_KEY must hold Fernet keys"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(name, value)
    code, said = run("up", "--data-dir", str(tmp_path / "data"), "--port", "0")
    assert (code, sentence in said) == (2, True), said
    assert not (tmp_path / "data").exists()


def test_up_on_a_port_that_is_taken(run: Run, tmp_path: Path, port: int) -> None:
    code, said = run("up", "--data-dir", str(tmp_path / "data"), "--port", str(port))
    assert (code, f"Port {port} of 127.0.0.1 cannot be used (Address already in use)" in said) == (2, True), said


def test_up_on_a_folder_that_cannot_be_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    code, said = run("up", "--data-dir", str(tmp_path / "data"), "--port", "0")
    assert (code, "cannot be used (" in said and "choose another" in said) == (2, True), said


def test_a_database_that_does_not_answer(run: Run, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ONHAND_DATABASE_URL", f"postgresql://a:b@127.0.0.1:{closed.getsockname()[1]}/x")
        monkeypatch.setenv("ONHAND_REDIS_URL", "redis://127.0.0.1:1")
        for command in (("verify",), ("migrate",), ("token", "list"), ("serve",), ("worker",)):
            code, said = run(*command)
            assert (code, "PostgreSQL does not answer" in said) == (2, True), said


def test_a_database_that_says_no(on_database: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONHAND_DATABASE_URL", settings.database_url + "_not_there")
    code, said = on_database("verify")
    assert (code, "PostgreSQL refused: database" in said) == (2, True), said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("token", "create", "me", "--role", "KING"), "'KING' is not one of 'ADMIN', 'OPERATIONS'"),
        (("token", "create", "me", "--role", "ADMIN", "--scope", "all"), "There is no scope 'all': use stock:read"),
        (("token", "create", "me", "--role", "ADMIN", "--warehouse", "MARS"), "There is no warehouse 'MARS'."),
        (("token", "revoke", "nonsense"), "Input should be a valid UUID"),
        (("token", "revoke", "01a2121d-4f00-7000-8000-000000000000"), "There is no such token."),
        (("import", "shopify-products", "/not/there.csv", "--warehouse", "BER"), "no warehouse 'BER'"),
        (("import", "listings", "/not/there.csv", "--channel", "X"), "cannot be used: No such file or directory"),
        (("match", "listings", "--channel", "X"), "no channel 'X'"),
        (("up", "--port", "70000"), "Input should be less than or equal to 65535"),
        (("sandbox", "etsy"), "No such command 'etsy'"),
    ],
)
def test_a_wrong_argument_is_one_sentence(on_database: Run, arguments: tuple[str, ...], sentence: str) -> None:
    code, said = on_database(*arguments)
    assert (code, sentence in said) == (2, True), said


def test_tokens_are_made_listed_and_revoked(on_database: Run) -> None:
    assert on_database("token", "create", "till", "--role", "SUPPORT")[1].startswith("ohd_")
    listed = on_database("token", "list")[1]
    found = re.search(r"[0-9a-f-]{36}", listed)
    assert found is not None, listed
    assert on_database("token", "revoke", found[0]) == (0, "Token 'till' is revoked. ")
    assert on_database("token", "revoke", found[0])[0] == 2


def test_an_import_in_full_or_not_at_all(on_database: Run, tmp_path: Path, run_seed: None) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(HEADING + "pot,Pot,Small,P-1,3,,2.50\n,,Large,,4,,\n")
    bad.write_text(HEADING + "pot,Pot,,P-1,many,,\nmug,,,M-1,1,,\n")
    options = ("--warehouse", "HAM-1")
    code, said = on_database("import", "shopify-products", str(good), *options, "--dry-run")
    assert (code, "2 SKUs created" in said, "nothing was written" in said) == (0, True, True)
    code, said = on_database("import", "shopify-products", str(bad), *options)
    assert code == 1
    assert "row 2: Variant Inventory Qty 'many'" in said
    assert "row 3: Product 'mug' has no Title." in said
    assert "2 bad rows: nothing was imported." in said
    code, said = on_database("import", "shopify-products", str(good), *options)
    assert (code, "2 SKUs created" in said, "1 without a SKU" in said, "holds 7 units" in said) == (0, True, True, True)
    assert "P-1 Pot - Small 3 2.50" in said
    assert on_database("import", "shopify-products", str(tmp_path / "none.csv"), *options) == (
        2,
        f"onhand: {tmp_path / 'none.csv'} cannot be used: No such file or directory. ",
    )
    code, said = on_database("import", "shopify-products", str(good), *options, "--currency", "euro")
    assert (code, "ISO 4217" in said) == (2, True)
    assert on_database("verify")[0] == 0


def test_listings_in_full_or_not_at_all(on_database: Run, tmp_path: Path, settings: Settings) -> None:
    asyncio.run(make_direct_channel(settings))
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("sku,external_id\nMUG,A-1\n")
    bad.write_text("sku,external_id\nMUG,A-1\nCUP,A-2\n")
    options = ("--channel", "direct")
    code, said = on_database("import", "listings", str(bad), *options)
    assert (code, said) == (
        1,
        "row 3: There is no SKU with the code or barcode 'CUP'. 1 bad rows: nothing was imported. ",
    )
    code, said = on_database("import", "listings", str(good), *options, "--dry-run")
    assert (code, said) == (0, "1 rows, 1 listings would be linked: nothing was written. ")
    assert on_database("import", "listings", str(good), *options) == (0, "1 rows, 1 listings linked. ")
    assert on_database("import", "listings", str(good), *options) == (0, "1 rows, 0 listings linked. ")
    code, said = on_database("match", "listings", *options)
    assert (code, "lists nothing by itself" in said) == (2, True)


async def make_direct_channel(settings: Settings) -> None:
    """A warehouse, a SKU, and a channel that sells it by our own API."""
    async with open_state(settings, "onhand tests") as state:
        await make_catalog(state, ("BER",), 0)
        async with state.database.hot.acquire() as connection:
            await upsert_skus(connection, [SkuLine("MUG")])
            await connect_channel(connection, settings, ChannelConnect("direct", "Direct", "B2B", {"BER": ""}))


@pytest.fixture
def run_seed(on_database: Run) -> None:
    """`onhand seed` on a database without any `onhand up`."""
    code, said = on_database("seed", "--data-dir", "/nowhere")
    assert (code, "4 warehouses, 300 SKUs" in said, "0 listings" in said) == (0, True, True), said


def test_a_second_shell_finds_the_instance(run: Run, settings: Settings, tmp_path: Path) -> None:
    folder = ("--data-dir", str(tmp_path))
    code, said = run("verify", *folder)
    assert (code, f"No Onhand runs on {tmp_path}: start one with `onhand up`" in said) == (2, True), said
    with leave_instance(tmp_path, {"database_url": settings.database_url, "redis_url": settings.redis_url}):
        assert (tmp_path / INSTANCE_FILE).stat().st_mode & 0o777 == 0o600
        assert run("verify", *folder) == (0, "0 movements, 0 levels, 0 problems. ")
    assert not (tmp_path / INSTANCE_FILE).exists()


def test_the_environment_goes_before_an_instance(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with leave_instance(tmp_path, {"database_url": "postgresql://x", "redis_url": "redis://x"}):
        monkeypatch.setenv(GIVEN[1], "redis://127.0.0.1:1")
        code, said = run("verify", "--data-dir", str(tmp_path))
    assert (code, "ONHAND_DATABASE_URL is not set" in said) == (2, True), said


@pytest.mark.parametrize(("pid", "began"), [(0, 1.0), (os.getpid(), 1.0)], ids=["gone", "another with its number"])
def test_an_instance_that_was_killed_is_said_to_have_ended(run: Run, tmp_path: Path, pid: int, began: float) -> None:
    pid = pid or max(psutil.pids()) + 1_000_000
    left = {"database_url": "postgresql://x", "redis_url": "redis://x", "pid": pid, "began": began}
    (tmp_path / INSTANCE_FILE).write_text(json.dumps(left))
    code, said = run("token", "list", "--data-dir", str(tmp_path))
    assert (code, f"The Onhand of {tmp_path} has ended without a word" in said) == (2, True), said


def test_a_broken_instance_file_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / INSTANCE_FILE).write_text("{")
    code, said = run("verify", "--data-dir", str(tmp_path))
    assert (code, "instance.json is broken" in said) == (2, True), said


def test_a_sandbox_says_in_one_sentence_why_it_cannot_start(run: Run, tmp_path: Path, port: int) -> None:
    code, said = run("sandbox", "shopify", "--port", str(port))
    assert (code, f"port {port} of 127.0.0.1 cannot be used" in said) == (2, True), said
    code, said = run("sandbox", "shopify", "--credentials", str(tmp_path / "none.json"))
    assert (code, "none.json" in said) == (2, True), said
    assert "unrecognized arguments: --colour" in run("sandbox", "shopify", "--colour", "red")[1]
