"""Tablets: what is done with them is true in the world at once, and known to Onhand when they have network.

Without network everything is recorded and sent later by `floorBatch`, out of order and sometimes twice. What Onhand
refuses for good although it was done is a known error of the books.
"""

from __future__ import annotations

import asyncio
import datetime
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.company import Client
from tests.simulation.week.truth import Effect, Move, Placed, Truth

ATTEMPTS_MAX = 240
RETRY_SECONDS = 0.25
FLUSHES_MAX = 12
IN_ORDER = {"fulfillmentOrderPick", "fulfillmentOrderShip"}
BATCH = """
mutation($input: FloorBatchInput!) {
  floorBatch(input: $input) {
    results { idempotencyKey status error { code message } advice documentId } userErrors { code message }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done: its mutation, what moved in the world, what the books change by once they know."""

    name: str
    fields: dict[str, Any]
    moves: Sequence[Move] = ()
    effects: Sequence[Effect] = ()
    places: Sequence[Placed] = ()
    """What goes into bins and out of them with it."""
    told: Callable[[], None] | None = None
    """To be done when Onhand knows of what changes no stock (a scan); refused, it is dropped."""


@dataclass(slots=True)
class Recorded:
    """An act that the books do not know yet. `at`: its turn among all that was recorded."""

    act: Act
    key: str
    fields: dict[str, Any]
    at: int


@dataclass(slots=True)
class Tally:
    """What happened with requests and queues."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    batched: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    """Sent again after an answer was lost."""


class Aisle:
    """Work goes on side by side; who counts waits until nobody else works there, and the others wait for the count."""

    def __init__(self) -> None:
        self._busy = 0
        self._free = asyncio.Condition()
        self._counting = False

    async def enter(self, *, alone: bool) -> None:
        async with self._free:
            await self._free.wait_for(lambda: not self._counting and not (alone and self._busy))
            self._busy += 1
            self._counting = alone

    async def leave(self, *, alone: bool) -> None:
        async with self._free:
            self._busy -= 1
            self._counting = self._counting and not alone
            self._free.notify_all()


async def send(client: Client, tally: Tally, name: str, selection: str, fields: dict[str, Any]) -> Any:
    """The payload, refused or not, whatever dies meanwhile: `fields` has an idempotency key. AssertionError at last."""
    kind = name[0].upper() + name[1:] + "Input"
    query = f"mutation($input: {kind}!) {{ {name}(input: $input) {{ {selection} userErrors {{ code message }} }} }}"
    return (await ask(client, tally, query, {"input": fields}, name))[name]


async def ask(client: Client, tally: Tally, query: str, variables: dict[str, Any], name: str = "query") -> Any:
    """Data of an answer; what is lost or fails inside is asked again."""
    answer: Any = None
    for attempt in range(ATTEMPTS_MAX):
        try:
            answer = await client.send(query, **variables)
            if "errors" not in answer:
                tally.repeated += attempt
                return answer["data"]
            codes = {error.get("extensions", {}).get("code") for error in answer["errors"]}
            assert codes <= {"INTERNAL", "UNAVAILABLE"}, (name, variables, answer)
        except (httpx.HTTPError, ValueError) as lost:
            answer = lost
        await asyncio.sleep(RETRY_SECONDS)
    raise AssertionError(f"{name} is not answered: {answer}")


@dataclass(slots=True)
class Tablet:
    """One of a warehouse's. `queue`: recorded, not yet known."""

    name: str
    house: str
    client: Client
    truth: Truth
    tally: Tally
    aisle: Aisle
    turns: itertools.count[int]
    chance: random.Random
    sees_all: bool = False
    online: bool = True
    shuffles: bool = True
    """Whether its queue may be sent in any order; who says which bin must tell of it in the order of the work."""
    in_flight: list[Act] = field(default_factory=list)
    """Done, and not answered yet."""
    queue: list[Recorded] = field(default_factory=list)
    _keys: itertools.count[int] = field(default_factory=itertools.count)

    def key(self) -> str:
        return f"{self.name}-{next(self._keys)}"

    async def do(self, what: Act | Callable[[], Act | None], selection: str = "") -> Any | None:
        """The payload when it is done at once; None when it is recorded, or was refused and left undone.

        What depends on what stands there is made when somebody stands before it.
        """
        await self.aisle.enter(alone=False)
        try:
            act = what if isinstance(what, Act) else what()
            if act is None:
                return None
            if self.online:
                return await self.send(act, selection)
            self.record(act)
            return None
        finally:
            await self.aisle.leave(alone=False)

    def _fields(self, act: Act, *, at_once: bool) -> dict[str, Any]:
        """What is told at once needs no time; of a parcel it would say that it has left already, whatever it broke."""
        fields = {**act.fields, "idempotencyKey": self.key()}
        if at_once and (act.name == "fulfillmentOrderShip" or self.chance.random() < 0.5):
            return fields
        return {**fields, "occurredAt": datetime.datetime.now(datetime.UTC).isoformat()}

    async def send(self, act: Act, selection: str) -> Any | None:
        """Goods are in hand while it is asked, and put back if it is refused."""
        self.truth.move(act.moves)
        self.truth.place(act.places)
        self.in_flight.append(act)
        try:
            made = await send(self.client, self.tally, act.name, selection, self._fields(act, at_once=True))
        finally:
            self.in_flight.remove(act)
        if made["userErrors"]:
            self.truth.move(Move(m.sku, m.target, m.source, m.units) for m in act.moves)
            self.truth.place(one._replace(units=-one.units) for one in act.places)
            self.tally.refused[f"{act.name} {made['userErrors'][0]['code']}"] += 1
            return None
        self.tally.done[act.name] += 1
        return made

    def record(self, act: Act) -> str:
        """It is done; Onhand is told later. The key under which it is."""
        self.truth.move(act.moves)
        self.truth.place(act.places)
        fields = self._fields(act, at_once=False)
        self.queue.append(Recorded(act, fields["idempotencyKey"], fields, next(self.turns)))
        return fields["idempotencyKey"]

    async def flush(self) -> bool:
        """Send what waits; whether anything was new to Onhand. Shuffled at times, and at times sent twice."""
        if not self.queue:
            return False
        alone = any(one.act.told for one in self.queue)  # a scan is held against what was told before it
        await self.aisle.enter(alone=alone)
        try:
            return await self._flush()
        finally:
            await self.aisle.leave(alone=alone)

    async def _flush(self) -> bool:
        sent = list(self.queue)
        if self.shuffles and self.chance.random() < 0.5:
            sent = shuffle(sent, self.chance)
        results = await self._send_batch(sent)
        changed = self._take_in(sent, results)
        if self.chance.random() < 0.3:
            again = await self._send_batch(sent)
            self._check_again(results, again)
            changed = self._take_in(sent, again) or changed
        return changed

    def _take_in(self, sent: Sequence[Recorded], results: Sequence[Any]) -> bool:
        """In the order in which Onhand did."""
        waiting = {one.key for one in self.queue}
        changed = False
        for one, result in zip(sent, results, strict=True):
            known = result["status"] in ("APPLIED", "ALREADY_APPLIED")
            if one.key in waiting and (known or one.act.told is not None):
                self.queue = [other for other in self.queue if other.key != one.key]
                if known and one.act.told is not None:
                    one.act.told()
                changed = True
        return changed

    def _check_again(self, first: Sequence[Any], second: Sequence[Any]) -> None:
        for one, other in zip(first, second, strict=True):
            if one["status"] in ("APPLIED", "ALREADY_APPLIED"):
                assert other["status"] == "ALREADY_APPLIED", f"{one} was done again: {other}"

    async def _send_batch(self, sent: Sequence[Recorded]) -> Any:
        operations = [{one.act.name: one.fields} for one in sent]
        made = (await ask(self.client, self.tally, BATCH, {"input": {"operations": operations}}, "floorBatch"))[
            "floorBatch"
        ]
        assert not made["userErrors"], made
        assert "FAILED" not in {one["status"] for one in made["results"]}, made
        for one, result in zip(sent, made["results"], strict=True):
            self.tally.batched[result["status"]] += 1
            if one.act.name == "transferCreate" and result["documentId"]:
                self.truth.names[result["documentId"]] = f"key:{one.key}"
            if result["status"] == "REFUSED":
                self.tally.refused[f"{one.act.name} {result['error']['code']} offline"] += 1
        return made["results"]


def shuffle(queue: Sequence[Recorded], chance: random.Random) -> list[Recorded]:
    """In any order, but of one fulfilment order the pick before the parcel: told the other way round, nobody can say
    whether the parcel holds what was picked before or what the pick will say, so Onhand refuses the pick.
    """
    sent = chance.sample(queue, len(queue))
    for work in {one.act.fields["id"] for one in queue if one.act.name in IN_ORDER}:
        places = [i for i, one in enumerate(sent) if one.act.name in IN_ORDER and one.act.fields["id"] == work]
        for place, one in zip(places, sorted((sent[i] for i in places), key=lambda one: one.at), strict=True):
            sent[place] = one
    return sent


async def flush_all(tablets: Sequence[Tablet]) -> None:
    """All of them, until none gets anything more through: what one sent may be what another waited for."""
    for _ in range(FLUSHES_MAX):
        if not any([await tablet.flush() for tablet in tablets]):
            return
