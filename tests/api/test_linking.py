"""Listings from a file, and matched to what a channel lists."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from adapters.channels.base import ChannelItem, ItemPage, Throttled
from adapters.channels.memory import MemoryChannel
from app.channels.import_listings import import_listings
from app.channels.match_listings import match_all
from app.settings import Settings
from domain.errors import CauseClass, Fault, Refusal
from domain.identity import Role
from tests.channel_company import ChannelCompany, open_channel_company
from tests.seed import TESTER

MATCH = (
    "linked known cursor review { externalId sku barcode title reason } listings { externalId sku { code } published }"
)
ITEMS = (
    ChannelItem("item-0", "SKU-0", None, "Thing 0", 4),
    ChannelItem("new-1", "SKU-1", None, "Thing 1", 4),
    ChannelItem("new-2", None, "400002", "Thing 2", 4),
    ChannelItem("odd", "WHAT", None, "Odd", 4),
)


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        await opened.execute("DELETE FROM listings WHERE external_id <> 'item-0'")
        yield opened


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two items a page, and each second call is throttled."""
    calls = 0

    async def list_items(_self: MemoryChannel, cursor: str | None = None) -> ItemPage:
        nonlocal calls
        calls += 1
        if calls % 2 == 0:
            raise Throttled("busy", 0.01)
        start = int(cursor or 0)
        return ItemPage(ITEMS[start : start + 2], str(start + 2) if start + 2 < len(ITEMS) else None)

    monkeypatch.setattr(MemoryChannel, "list_items", list_items)


@pytest.mark.usefixtures("lists")
async def test_what_is_beyond_doubt_is_linked_and_the_rest_left_to_people(company: ChannelCompany) -> None:
    trial = await company.admin.mutate("listingsMatch", MATCH, channel="shop", dryRun=True)
    assert (trial["linked"], trial["known"], trial["listings"], trial["cursor"]) == (2, 1, [], None)
    assert await company.value("SELECT count(*) FROM listings") == 2
    made = await company.admin.mutate("listingsMatch", MATCH, channel="shop", idempotencyKey="k")
    assert [(one["externalId"], one["sku"]["code"], one["published"]) for one in made["listings"]] == [
        ("new-1", "SKU-1", 20),
        ("new-2", "SKU-2", 20),
    ]
    assert made["review"] == [
        {"externalId": "odd", "sku": "WHAT", "barcode": None, "title": "Odd", "reason": "We know no SKU 'WHAT'."}
    ]
    assert await company.admin.mutate("listingsMatch", MATCH, channel="shop", idempotencyKey="k") == made
    again = await company.admin.mutate("listingsMatch", MATCH, channel="shop")
    assert (again["linked"], again["known"], len(again["review"])) == (0, 3, 1)


@pytest.mark.usefixtures("lists")
async def test_a_long_list_is_matched_in_parts(company: ChannelCompany, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.channels.match_listings.ITEMS_MAX", 1)
    first = await company.admin.mutate("listingsMatch", MATCH, channel="shop")
    assert (first["linked"], first["known"], first["cursor"]) == (1, 1, "2")
    rest = await company.admin.mutate("listingsMatch", MATCH, channel="shop", after="2")
    assert (rest["linked"], rest["cursor"], len(rest["review"])) == (1, None, 1)
    monkeypatch.setattr("api.channels.match_listings.READ_SECONDS", 0.0)
    nothing = await company.admin.mutate("listingsMatch", MATCH, channel="shop")
    assert (nothing["linked"], nothing["known"], nothing["cursor"]) == (0, 0, "")


@pytest.mark.usefixtures("lists")
async def test_everything_at_once_or_a_fault(company: ChannelCompany) -> None:
    found = await match_all(company.state, TESTER, "market", dry_run=False, seconds=5)
    assert (found["linked"], found["known"], len(found["review"])) == (2, 1, 1)
    with pytest.raises(Fault, match="more than could be read"):
        await match_all(company.state, TESTER, "market", dry_run=False, seconds=0.001)


async def test_a_channel_that_does_not_answer_or_lists_nothing(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> ItemPage:
        raise Fault("no answer", transient=True, cause=CauseClass.OUTAGE)

    monkeypatch.setattr(MemoryChannel, "list_items", fail)
    query = 'mutation { listingsMatch(input: {channel: "shop"}) { linked } }'
    assert (await company.admin.send(query))["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    houses = [{"warehouse": "BER"}]
    await company.admin.mutate("channelConnect", "", code="b2b", name="B2B", warehouses=houses, b2b={})
    for channel, code in (("b2b", "INVALID_INPUT"), ("none", "CHANNEL_NOT_FOUND")):
        made = await company.admin.mutate("listingsMatch", MATCH, channel=channel)
        assert [error["code"] for error in made["userErrors"]] == [code]
    limited = await company.client(Role.ECOMMERCE, channel_ids=[(await company.channel("market")).id])
    made = await limited.mutate("listingsMatch", MATCH, channel="shop")
    assert made["userErrors"][0]["code"] == "CHANNEL_NOT_FOUND"


def write(folder: Path, text: str) -> Path:
    path = folder / "listings.csv"
    path.write_text(text)
    return path


async def test_a_file_is_imported_whole_and_a_second_time_changes_nothing(
    company: ChannelCompany, tmp_path: Path
) -> None:
    file = write(tmp_path, "sku,external_id,reference\nSKU-1,item-1,offer\n400002,item-2,\n")
    trial = await import_listings(company.state, TESTER, file, "shop", True)
    assert (trial.linked, trial.dry_run, trial.problems) == (2, True, ())
    assert await company.value("SELECT count(*) FROM listings") == 2
    done = await import_listings(company.state, TESTER, file, "shop", False)
    assert (done.rows, done.linked) == (2, 2)
    assert await company.value("SELECT count(*) FROM listings WHERE desired = 20 AND reference = 'offer'") == 1
    assert (await import_listings(company.state, TESTER, file, "shop", False)).linked == 0


async def test_every_bad_row_is_told_and_nothing_imported(company: ChannelCompany, tmp_path: Path) -> None:
    rows = ["SKU-1,fine,", "NONE,x,", ",y,", "SKU-2,item-0,", "SKU-2,z,moon", "SKU-1,again,", "SKU-2,fine,", "SKU-2"]
    file = write(tmp_path, "\n".join(["sku,external_id,location", *rows]))
    report = await import_listings(company.state, TESTER, file, "shop", False)
    assert {problem.row: problem.reason for problem in report.problems} == {
        3: "There is no SKU with the code or barcode 'NONE'.",
        4: "sku is empty.",
        5: "'item-0' is linked to another SKU: unlink that first.",
        6: "No warehouse of the channel is shown at location 'moon'.",
        7: "SKU 'SKU-1' is in row 2 already.",
        8: "SKU 'SKU-2' is in row 5 already.",
        9: "1 cells, and the heading has 3.",
    }
    assert await company.value("SELECT count(*) FROM listings") == 2
    with pytest.raises(Refusal, match="no channel"):
        await import_listings(company.state, TESTER, file, "none", False)
    file.write_bytes(b"sku,external_id\n\xff\xfe,x\n")
    with pytest.raises(Refusal, match="UTF-8"):
        await import_listings(company.state, TESTER, file, "shop", False)
