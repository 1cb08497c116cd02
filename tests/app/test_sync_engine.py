"""The sync engine on a channel in memory: every interleaving that could leave a channel with a wrong number."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from adapters.channels.base import ListingRef, Observation, QuantityWrite, Throttled, WriteOutcome, WriteResult
from adapters.channels.memory import MemoryChannel
from app.channels import observe_listings as observe_module
from app.channels.claim_listings import Lane, claim_listings
from app.channels.health import FAILURES_OPEN
from app.channels.link_listing import ListingLink, link_listings
from app.channels.note_attempt import Attempt, note_attempt
from app.channels.observe_listings import note_observations, observe_listings
from app.channels.open_channel import OpenChannel
from app.channels.push_quantities import push_quantities
from app.channels.relay_stock import recompute_desired, relay_stock
from app.channels.settle_batches import settle_batches
from app.draw_wait import MOST_SECONDS
from app.state import State
from app.tracing import tracing_to
from domain.errors import CauseClass, Fault
from domain.publish import PublishPolicy, SourceStock, compute_published
from tests.seed import add_stock, make_catalog

SKUS = 4


@dataclass
class Setting:
    """A LIVE channel in memory selling `SKUS` SKUs from two warehouses with ten units each."""

    state: State
    channel: OpenChannel
    shop: MemoryChannel

    async def relay(self) -> None:
        while (await relay_stock(self.state))[0]:
            pass

    async def push(self, lane: Lane = Lane.BULK, owner: str = "me") -> int:
        return (await push_quantities(self.state, self.channel, lane, owner))[0]

    async def converge(self) -> None:
        """Relay and push until nothing is left to say."""
        for _ in range(20):
            await self.relay()
            await self.state.database.hot.execute("UPDATE listings SET next_attempt_at = NULL")
            if not await self.push(Lane.ZERO) + await self.push():
                return
        raise AssertionError("does not converge")

    async def rows(self, columns: str) -> list[Any]:
        return [
            tuple(row) for row in await self.state.database.hot.fetch(f"SELECT {columns} FROM listings ORDER BY id")
        ]

    async def cases(self) -> list[Any]:
        found = await self.state.database.hot.fetch("SELECT kind, state, cause, count FROM exception_cases ORDER BY id")
        return [tuple(row) for row in found]

    def shows(self) -> list[int | None]:
        return [self.shop.quantities.get((f"item-{n}", "")) for n in range(SKUS)]


@pytest.fixture
async def setting(state: State) -> Setting:
    await make_catalog(state, ("BER", "NYC"), SKUS)
    for house in ("BER", "NYC"):
        await add_stock(state, house, {f"SKU-{n}": 10 for n in range(SKUS)})
    async with state.database.hot.acquire() as connection:
        channel_id = await connection.fetchval(
            "INSERT INTO channels (code, name, kind, status) VALUES ('shop', 'Shop', 'SHOPIFY', 'LIVE') RETURNING id"
        )
        await connection.execute("INSERT INTO channel_warehouses SELECT $1, id FROM warehouses", channel_id)
        links = [ListingLink(f"SKU-{n}", f"item-{n}") for n in range(SKUS)]
        assert await link_listings(connection, channel_id, links) == SKUS
    shop = MemoryChannel()
    return Setting(state, OpenChannel(channel_id, "shop", "SHOPIFY", "LIVE", shop), shop)


async def test_what_changed_is_told_and_what_did_not_is_not(setting: Setting) -> None:
    await setting.converge()
    assert setting.shows() == [20] * SKUS
    await add_stock(setting.state, "BER", {"SKU-1": 5})
    await setting.converge()
    assert setting.shows() == [20, 25, 20, 20]
    assert [write.external_id for write in setting.shop.batches[-1]] == ["item-1"]


async def test_back_to_what_it_shows_sends_nothing(setting: Setting) -> None:
    await setting.converge()
    sent = len(setting.shop.batches)
    await add_stock(setting.state, "BER", {"SKU-1": 5})
    await setting.relay()
    await add_stock(setting.state, "BER", {"SKU-1": -5})
    await setting.converge()
    assert len(setting.shop.batches) == sent
    assert {row[0] for row in await setting.rows("desired_version = acknowledged_version")} == {True}


async def test_a_version_that_moves_during_the_push_is_sent_after_it(setting: Setting) -> None:
    async def move(_: Sequence[QuantityWrite]) -> None:
        setting.shop.before = nothing
        await add_stock(setting.state, "NYC", {"SKU-2": -3})
        await setting.relay()

    setting.shop.before = move
    await setting.push()
    assert setting.shows()[2] == 20
    assert (await setting.rows("desired_version > acknowledged_version"))[2] == (True,)
    await setting.converge()
    assert setting.shows()[2] == 17


async def test_a_lost_reply_is_read_back_before_anything_is_sent_again(setting: Setting) -> None:
    async def lose(_: Sequence[QuantityWrite]) -> None:
        setting.shop.after = nothing
        raise Fault("no reply", transient=True, cause=CauseClass.OUTAGE)

    setting.shop.after = lose
    await setting.push()
    assert set(await setting.rows("acknowledged, uncertain")) == {(None, True)}
    await setting.converge()
    assert len(setting.shop.batches) == 1
    assert set(await setting.rows("acknowledged, uncertain, attempts")) == {(20, False, 0)}


async def test_a_channel_that_sold_is_compared_not_overwritten(setting: Setting) -> None:
    """It shows 18 where it took 20, since it sold 2 whose order is on the way; writing 25 would sell them twice."""
    await setting.converge()
    setting.shop.quantities["item-0", ""] = 18
    await add_stock(setting.state, "BER", {"SKU-0": 5})
    await setting.relay()
    await setting.push()
    assert setting.shows()[0] == 18
    (row,) = (await setting.rows("acknowledged, observed, next_attempt_at > now()"))[:1]
    assert row == (18, 18, True)
    await add_stock(setting.state, "BER", {"SKU-0": -2})
    await setting.converge()
    assert setting.shows()[0] == 23


async def test_a_sale_that_the_channel_shows_already_is_not_sent(setting: Setting) -> None:
    """It sold one and says so, before or after its order arrives."""
    await setting.converge()
    sent = len(setting.shop.batches)
    for first in (True, False):
        setting.shop.quantities["item-0", ""] -= 1
        if first:
            await look(setting)
        await add_stock(setting.state, "BER", {"SKU-0": -1})
        await setting.relay()
        if not first:
            assert (await setting.rows("desired_version > acknowledged_version"))[0] == (True,)
            await look(setting)
        assert (await setting.rows("desired_version = acknowledged_version, drift_since"))[0] == (True, None)
    await setting.converge()
    assert len(setting.shop.batches) == sent


async def test_late_word_of_an_old_number_is_not_believed(setting: Setting) -> None:
    """The channel showed 17 once; it was told 20 since."""
    await setting.converge()
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    await look(setting)
    await note_observations(setting.state, setting.channel, [Observation("item-0", 17)], old)
    await add_stock(setting.state, "BER", {"SKU-0": -3})
    await setting.relay()
    assert (await setting.rows("observed, desired_version > acknowledged_version"))[0] == (20, True)
    await setting.converge()
    assert setting.shows()[0] == 17


async def test_what_was_seen_is_kept_when_the_quota_ends_in_the_middle(setting: Setting) -> None:
    await setting.converge()
    calls = 0

    async def observe(refs: Sequence[ListingRef]) -> list[Observation]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Throttled("enough", 0.5)
        return [Observation(ref.external_id, 20) for ref in refs]

    shop = SimpleNamespace(observe=observe)
    channel = replace(setting.channel, adapter=shop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(observe_module, "PART_MAX", 1)
        assert await observe_listings(setting.state, channel) == (2, 0.5)
    assert [row[0] for row in await setting.rows("observed")].count(20) == 2


async def test_amazon_showing_what_it_showed_before_is_not_believed(setting: Setting) -> None:
    """It has accepted 25 and still shows 20; wanting 20 again must be said."""
    await setting.converge()
    await setting.state.database.hot.execute("UPDATE channels SET kind = 'AMAZON'")
    await add_stock(setting.state, "BER", {"SKU-0": 5})
    await setting.converge()
    setting.shop.quantities["item-0", ""] = 20
    await look(setting)
    await add_stock(setting.state, "BER", {"SKU-0": -5})
    await setting.relay()
    assert (await setting.rows("desired, desired_version > acknowledged_version"))[0] == (20, True)
    await look(setting)
    assert (await setting.rows("desired, desired_version > acknowledged_version"))[0] == (20, True)


async def test_a_zero_does_not_sit_out_the_wait_of_a_failed_write(setting: Setting) -> None:
    await setting.converge()
    await setting.state.database.hot.execute(
        "UPDATE listings SET attempts = 9, next_attempt_at = now() + interval '1 h'"
    )
    await add_stock(setting.state, "BER", {"SKU-0": -10, "SKU-1": 1})
    await add_stock(setting.state, "NYC", {"SKU-0": -10})
    await setting.relay()
    assert await setting.push(Lane.ZERO) == 1
    assert setting.shows()[0] == 0
    assert await setting.push() == 0


async def test_what_was_seen_last_is_what_a_write_is_compared_with(setting: Setting) -> None:
    await setting.converge()
    setting.shop.quantities["item-0", ""] = 17
    await look(setting)
    await add_stock(setting.state, "BER", {"SKU-0": 5})
    await setting.relay()
    await setting.push()
    assert setting.shop.batches[-1][0].expected == 17
    assert setting.shows()[0] == 25


async def test_neighbours_of_a_refused_listing_go_through_in_the_same_push(setting: Setting) -> None:
    """Shopify writes all of a call or none of it."""
    whole = setting.shop.set_quantities

    async def all_or_none(writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        if any(write.external_id in ("item-1", "item-3") for write in writes):
            bad = WriteResult(WriteOutcome.REFUSED, "unknown", CauseClass.MAPPING)
            bystander = WriteResult(WriteOutcome.TRANSIENT, "another's fault", wait_seconds=0.0)
            return [bad if write.external_id in ("item-1", "item-3") else bystander for write in writes]
        return await whole(writes, urgent=urgent)

    shop = SimpleNamespace(
        batch_size=setting.shop.batch_size, patience_seconds=setting.shop.patience_seconds, set_quantities=all_or_none
    )
    channel = replace(setting.channel, adapter=shop)
    assert (await push_quantities(setting.state, channel, Lane.BULK, "me"))[0] == SKUS
    assert setting.shows() == [20, None, 20, None]


async def test_zero_does_not_wait_for_the_bulk(setting: Setting) -> None:
    await setting.converge()
    setting.shop.size = 1
    for n in range(SKUS):
        await add_stock(setting.state, "BER", {f"SKU-{n}": 1})
    await add_stock(setting.state, "BER", {"SKU-3": -11})
    await add_stock(setting.state, "NYC", {"SKU-3": -10})
    await setting.relay()
    assert await setting.push(Lane.ZERO) == 1
    assert setting.shows() == [20, 20, 20, 0]


async def test_risk_goes_before_age(setting: Setting) -> None:
    await setting.converge()
    setting.shop.size = 1
    await add_stock(setting.state, "BER", {"SKU-0": 1})
    await setting.relay()
    await add_stock(setting.state, "BER", {"SKU-1": -1, "SKU-2": -4})
    await setting.relay()
    order = []
    for _ in range(3):
        await setting.push()
        order.append(setting.shop.batches[-1][0].external_id)
    assert order == ["item-2", "item-1", "item-0"]
    await setting.state.database.hot.execute("UPDATE listings SET velocity = 1 WHERE external_id = 'item-1'")
    await add_stock(setting.state, "BER", {"SKU-1": -1, "SKU-2": -2})
    await setting.relay()
    await setting.push()
    assert setting.shop.batches[-1][0].external_id == "item-1"


async def test_a_zero_overtakes_a_batch_that_is_only_accepted(setting: Setting) -> None:
    """The batch is applied after the zero and undoes it: the listing is not believed and sent again."""
    await setting.converge()
    setting.shop.accepts_only = True
    await add_stock(setting.state, "BER", {"SKU-0": 5})
    await setting.relay()
    await setting.push()
    assert setting.shows()[0] == 20
    await add_stock(setting.state, "BER", {"SKU-0": -15})
    await add_stock(setting.state, "NYC", {"SKU-0": -10})
    await setting.relay()
    assert await setting.push() == 0
    assert await setting.push(Lane.ZERO) == 1
    assert setting.shows()[0] == 0
    assert (await settle_batches(setting.state, setting.channel))[0] == 1
    assert setting.shows()[0] == 25
    await setting.converge()
    assert setting.shows()[0] == 0


async def test_an_accepted_batch_is_acknowledged_when_it_is_through(setting: Setting) -> None:
    setting.shop.accepts_only = True
    await setting.push()
    assert set(await setting.rows("acknowledged, receipt IS NULL")) == {(None, False)}
    assert (await settle_batches(setting.state, setting.channel))[0] == 1
    assert set(await setting.rows("acknowledged, receipt IS NULL")) == {(20, True)}
    assert setting.shows() == [20] * SKUS


class FatalBatches(MemoryChannel):
    """Takes everything in, and every batch comes to nothing."""

    async def settle(self, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult]:
        return {key: WriteResult(WriteOutcome.TRANSIENT, "FATAL", CauseClass.OUTAGE) for key in keys}


async def test_a_batch_that_fails_again_and_again_waits_longer_and_stays_one(setting: Setting) -> None:
    """With a ceiling of five minutes six waits of less than ten seconds are one chance in a thousand millions."""
    channel = replace(setting.channel, adapter=FatalBatches(accepts_only=True))
    hot, waits = setting.state.database.hot, []
    for _ in range(6):
        await hot.execute("UPDATE listings SET attempts = 10, next_attempt_at = NULL")
        assert (await push_quantities(setting.state, channel, Lane.BULK, "me"))[0] == SKUS
        assert (await settle_batches(setting.state, channel))[0] == 1
        rows = await setting.rows("extract(epoch FROM next_attempt_at - now())::float8, next_attempt_at, attempts")
        assert ({row[2] for row in rows}, len({row[1] for row in rows})) == ({11}, 1)
        waits.append(rows[0][0])
    assert 10 < max(waits) <= MOST_SECONDS


async def test_throttling_is_no_failure_and_loses_no_claim(setting: Setting) -> None:
    async def throttle(_: Sequence[QuantityWrite]) -> None:
        raise Throttled("later", 0.7)

    setting.shop.before = throttle
    assert await push_quantities(setting.state, setting.channel, Lane.BULK, "me") == (SKUS, 0.7)
    assert set(await setting.rows("attempts, lease_owner, error")) == {(0, None, None)}
    assert await setting.cases() == []
    setting.shop.before = nothing
    await setting.converge()
    assert setting.shows() == [20] * SKUS


async def test_one_refused_listing_is_a_case_and_the_others_go_through(setting: Setting) -> None:
    setting.shop.refused = {"item-1": CauseClass.MAPPING}
    await setting.push()
    assert setting.shows() == [20, None, 20, 20]
    assert await setting.cases() == [("SYNC_REJECTED", "OPEN", "MAPPING", 1)]
    await add_stock(setting.state, "BER", {"SKU-1": 5})
    await setting.relay()
    assert await setting.push() == 0


async def test_a_batch_turned_away_as_a_whole_is_halved_until_one_stands_alone(setting: Setting) -> None:
    async def dislike(writes: Sequence[QuantityWrite]) -> None:
        if any(write.external_id == "item-2" for write in writes):
            raise Fault("bad request", transient=False, cause=CauseClass.VALIDATION)

    setting.shop.before = dislike
    await setting.push()
    assert setting.shows() == [20, 20, None, 20]
    assert await setting.cases() == [("SYNC_REJECTED", "OPEN", "VALIDATION", 1)]


async def test_an_outage_opens_the_circuit_and_a_call_that_works_closes_its_case(setting: Setting) -> None:
    async def fail(_: Sequence[QuantityWrite]) -> None:
        raise Fault("down", transient=True, cause=CauseClass.OUTAGE)

    setting.shop.before = fail
    for _ in range(3):
        await setting.state.database.hot.execute("UPDATE listings SET next_attempt_at = NULL, uncertain = false")
        assert await setting.push()
    assert await setting.cases() == [("CHANNEL_DOWN", "OPEN", "OUTAGE", 1)]
    claimed, wait = await push_quantities(setting.state, setting.channel, Lane.BULK, "me")
    assert claimed == 0
    assert wait > 0
    setting.shop.before = nothing
    await setting.state.database.hot.execute("UPDATE channel_circuits SET open_until = now()")
    await setting.state.database.hot.execute("UPDATE listings SET next_attempt_at = NULL, uncertain = false")
    assert await setting.push() == 1
    assert await setting.cases() == [("CHANNEL_DOWN", "RESOLVED", "OUTAGE", 1)]
    proof = await setting.state.database.hot.fetchval("SELECT proof->>'done' FROM exception_cases")
    assert proof == "1"
    await setting.converge()
    assert setting.shows() == [20] * SKUS


async def test_a_zero_goes_out_although_nothing_can_be_read(setting: Setting) -> None:
    await setting.converge()

    async def observe(refs: Sequence[ListingRef]) -> list[Observation]:
        raise Fault("may not be read", transient=False, cause=CauseClass.OUTAGE)

    blind = replace(setting.channel, adapter=SimpleNamespace(observe=observe))
    for _ in range(FAILURES_OPEN + 1):
        await setting.state.database.hot.execute("UPDATE listings SET observed_at = NULL")
        await setting.state.database.hot.execute("UPDATE channel_circuits SET open_until = now()")
        assert (await observe_listings(setting.state, blind))[1] > 0
    assert await setting.cases() == [("CHANNEL_DOWN", "OPEN", "OUTAGE", 2)]
    change = "UPDATE listings SET desired = 0, desired_version = desired_version + 1 WHERE external_id = 'item-0'"
    await setting.state.database.hot.execute(change)
    claimed, wait = await push_quantities(setting.state, setting.channel, Lane.ZERO, "me")
    assert (claimed, wait) == (1, 0.0)
    assert setting.shows()[0] == 0


async def test_a_wrong_credential_refuses_no_listing(setting: Setting) -> None:
    async def forbid(_: Sequence[QuantityWrite]) -> None:
        raise Fault("401", transient=False, cause=CauseClass.AUTH)

    setting.shop.before = forbid
    await setting.push()
    assert set(await setting.rows("rejected, attempts, lease_owner")) == {(False, 0, None)}
    assert await setting.cases() == [("CHANNEL_DOWN", "OPEN", "AUTH", 1)]


async def test_who_settles_after_its_lease_settles_nothing(setting: Setting) -> None:
    """A stopped worker wakes up: its listings belong to another by then."""

    async def stop(_: Sequence[QuantityWrite]) -> None:
        setting.shop.after = nothing
        await setting.state.database.hot.execute("UPDATE listings SET lease_until = now() - interval '1 second'")
        await add_stock(setting.state, "BER", {"SKU-0": 1})
        await setting.relay()
        assert await setting.push(owner="other") == SKUS

    setting.shop.after = stop
    await setting.push(owner="stopped")
    assert await setting.rows("acknowledged, desired_version = acknowledged_version") == [(21, True)] + [(20, True)] * 3


async def test_claims_are_shared_by_workers_and_come_back_after_their_lease(setting: Setting) -> None:
    database, channel = setting.state.database, setting.channel.id
    first, second = await asyncio.gather(
        claim_listings(database, channel, Lane.BULK, 2, "a", 0.2),
        claim_listings(database, channel, Lane.BULK, 9, "b", 0.2),
    )
    assert len(first) + len(second) == SKUS
    assert {claim.id for claim in first}.isdisjoint(claim.id for claim in second)
    assert await claim_listings(database, channel, Lane.BULK, 9, "c", 0.2) == []
    await asyncio.sleep(0.25)
    assert len(await claim_listings(database, channel, Lane.BULK, 9, "c", 0.2)) == SKUS


async def test_drift_is_sent_again_becomes_a_case_and_is_resolved_by_what_was_seen(setting: Setting) -> None:
    await setting.converge()
    setting.shop.quantities["item-3", ""] = 99
    await look(setting)
    assert (await setting.rows("observed, drift_since IS NOT NULL"))[3] == (99, True)
    assert await setting.cases() == []
    await setting.state.database.hot.execute("UPDATE listings SET drift_since = drift_since - interval '2 minutes'")
    await look(setting)
    assert await setting.cases() == [("DRIFT", "OPEN", "UNKNOWN", 1)]
    await setting.converge()
    assert setting.shows()[3] == 20
    await look(setting)
    assert await setting.cases() == [("DRIFT", "RESOLVED", "UNKNOWN", 1)]
    proof = await setting.state.database.hot.fetchval("SELECT (proof->>'observed')::int FROM exception_cases")
    assert proof == 20


async def test_direct_b2b_shows_what_we_say_without_being_told(setting: Setting) -> None:
    await setting.state.database.hot.execute("UPDATE channels SET kind = 'B2B'")
    await add_stock(setting.state, "BER", {"SKU-0": 2})
    await setting.relay()
    assert (await setting.rows("acknowledged, desired_version = acknowledged_version"))[0] == (22, True)


async def look(setting: Setting) -> None:
    await setting.state.database.hot.execute("UPDATE listings SET observed_at = now() - interval '1 hour'")
    assert (await observe_listings(setting.state, setting.channel))[0] == SKUS


async def nothing(_: Sequence[QuantityWrite]) -> None: ...


async def test_sql_and_domain_publish_the_same(setting: Setting) -> None:
    """`relay_stock` computes in SQL what `domain.publish` says, for 150 drawn policies and stocks."""
    chance = random.Random(11)
    async with setting.state.database.hot.acquire() as connection:
        houses = {row[0]: row[1] for row in await connection.fetch("SELECT code, id FROM warehouses ORDER BY id")}
        for _ in range(150):
            policy = PublishPolicy(
                buffer=chance.randint(0, 15),
                share_percent=chance.choice((0, 33, 50, 100)),
                maximum=chance.choice((None, chance.randint(0, 40))),
                minimum=chance.randint(0, 9),
                multiple=chance.randint(1, 7),
                frozen=chance.random() < 0.1,
                safety_stock=chance.choice((None, chance.randint(0, 12))),
                warehouses=chance.choice((None, frozenset({"BER"}), frozenset({"NYC", "BER"}))),
            )
            stock = [SourceStock(chance.randint(0, 40), chance.randint(0, 12), code) for code in houses]
            of_listing = chance.random() < 0.5
            found = await published_by_sql(
                connection, policy, dict(zip(houses.values(), stock, strict=True)), of_listing
            )
            assert found == compute_published(policy, stock), (policy, stock, of_listing)


async def published_by_sql(
    connection: Any, policy: PublishPolicy, sources: Mapping[int, SourceStock], of_listing: bool
) -> int:
    """`of_listing`: the listing has values of its own and its channel others, but for a maximum or a safety stock that is none."""
    names = ("buffer", "share_percent", "maximum", "minimum", "multiple", "safety_stock")
    values = ", ".join(f"{name} = ${place}" for place, name in enumerate(names, 1))
    wanted = [getattr(policy, name) for name in names]
    others = [3, 70, None if policy.maximum is None else 5, 2, 4, None if policy.safety_stock is None else 7]
    await connection.execute(f"UPDATE channels SET {values}", *(others if of_listing else wanted))
    await connection.execute(
        f"UPDATE listings SET {values}, warehouses = $7",
        *(wanted if of_listing else [None] * len(names)),
        None if policy.warehouses is None else sorted(policy.warehouses),
    )
    owner = "channels" if len(policy.warehouses or ()) == 1 else "skus"
    for table in ("channels", "skus"):
        await connection.execute(f"UPDATE {table} SET frozen = $1", policy.frozen and table == owner)
    for house, source in sources.items():
        await connection.execute(
            "UPDATE stock_levels SET available = $2, adjustment = -$2::int, safety_stock = $3 WHERE warehouse_id = $1",
            house,
            source.available,
            source.safety_stock,
        )
    await recompute_desired(connection)
    return int(await connection.fetchval("SELECT desired FROM listings ORDER BY id LIMIT 1"))


async def test_a_push_is_a_span(setting: Setting) -> None:
    exporter = InMemorySpanExporter()
    await setting.relay()
    with tracing_to(SimpleSpanProcessor(exporter), "onhand tests"):
        assert await setting.push() == SKUS
        assert await setting.push() == 0
    (pushed,) = [span for span in exporter.get_finished_spans() if span.name == "channel push"]
    assert pushed.attributes == {"onhand.channel": "shop", "onhand.lane": Lane.BULK.value, "onhand.listings": SKUS}


async def test_whoever_waited_for_a_listing_computes_from_what_is_true_afterwards(setting: Setting) -> None:
    """A freeze that commits while another computation waits for its rows is not undone by what that one had read."""
    hot = setting.state.database.hot
    await setting.relay()
    await add_stock(setting.state, "BER", {"SKU-0": -5})

    async def compute() -> None:
        async with hot.acquire() as connection, connection.transaction():
            await recompute_desired(connection)

    async with hot.acquire() as connection:
        async with connection.transaction():
            sku = await connection.fetchval("UPDATE skus SET frozen = true WHERE code = 'SKU-0' RETURNING id")
            await recompute_desired(connection, [sku])
            other = asyncio.create_task(compute())
            for _ in range(500):
                if await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                    break
                await asyncio.sleep(0.01)
            else:
                raise AssertionError("nobody waits")
        await other
    assert (await setting.rows("desired"))[0] == (0,)


class Uncounted(MemoryChannel):
    """Sells `loose` without counting it."""

    loose: frozenset[str] = frozenset()

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        return [
            Observation(seen.external_id, None, tracked=False) if seen.external_id in self.loose else seen
            for seen in await super().observe(refs)
        ]


@pytest.mark.parametrize("uncertain", [False, True])
async def test_what_is_not_counted_there_is_a_mapping_problem_until_it_is(setting: Setting, uncertain: bool) -> None:
    shop = Uncounted()
    setting = replace(setting, shop=shop, channel=replace(setting.channel, adapter=shop))
    await setting.converge()
    shop.loose = frozenset({"item-1"})
    if uncertain:
        await setting.state.database.hot.execute(
            "UPDATE listings SET uncertain = true, desired_version = desired_version + 1"
        )
        await setting.push()
    for _ in range(2):
        await look(setting)
    assert (await setting.rows("rejected, cause, drift_since IS NULL"))[1] == (True, "MAPPING", True)
    assert await setting.cases() == [("SYNC_REJECTED", "OPEN", "MAPPING", 1)]
    sent = len(shop.batches)
    await add_stock(setting.state, "BER", {"SKU-1": -3})
    await setting.converge()
    assert len(shop.batches) == sent, "there is no use in telling it"
    shop.loose = frozenset()
    await look(setting)
    await setting.converge()
    await look(setting)
    assert setting.shows()[1] == 17
    assert (await setting.rows("rejected, cause, error"))[1] == (False, None, None)
    assert await setting.cases() == [("SYNC_REJECTED", "RESOLVED", "MAPPING", 1)]


async def test_a_call_that_was_under_way_does_not_disprove_an_outage(setting: Setting) -> None:
    attempt = Attempt(setting.channel, "OBSERVE", datetime.datetime.now(datetime.UTC), 5.0, 1, 1, 0)
    await note_attempt(setting.state, attempt, Fault("no", transient=False, cause=CauseClass.AUTH))
    await note_attempt(setting.state, attempt)
    assert await setting.cases() == [("CHANNEL_DOWN", "OPEN", "AUTH", 1)]
    await note_attempt(setting.state, replace(attempt, seconds=0.0))
    assert await setting.cases() == [("CHANNEL_DOWN", "RESOLVED", "AUTH", 1)]
