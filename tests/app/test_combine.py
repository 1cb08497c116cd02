"""Commit combining: shared batches, lone commands, poisoned neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import pytest

from app.stock.combine import Combiner
from domain.errors import Fault


@dataclass(frozen=True)
class Command:
    value: int
    exclusive: Hashable | None = None


class Batches:
    """Runs commands by doubling them; a negative one breaks the whole batch."""

    def __init__(self) -> None:
        self.seen: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def run(self, commands: Sequence[Command]) -> list[int | Exception]:
        self.seen.append([command.value for command in commands])
        await self.gate.wait()
        if any(command.value < 0 for command in commands):
            raise ValueError("poisoned")
        return [command.value * 2 for command in commands]


async def test_a_lone_command_waits_for_nobody() -> None:
    batches = Batches()
    combiner: Combiner[Command, int] = Combiner(batches.run, batch_max=10, queue_max=10)
    assert await combiner.submit(Command(1)) == 2
    assert batches.seen == [[1]]


async def test_what_arrives_meanwhile_shares_the_next_batch() -> None:
    batches = Batches()
    batches.gate.clear()
    combiner: Combiner[Command, int] = Combiner(batches.run, batch_max=3, queue_max=10)
    waiting = [asyncio.create_task(combiner.submit(Command(0)))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting += [asyncio.create_task(combiner.submit(Command(n))) for n in range(1, 6)]
    await asyncio.sleep(0)
    batches.gate.set()
    assert await asyncio.gather(*waiting) == [0, 2, 4, 6, 8, 10]
    assert batches.seen == [[0], [1, 2, 3], [4, 5]]


async def test_a_poisoned_command_fails_alone() -> None:
    batches = Batches()
    combiner: Combiner[Command, int] = Combiner(batches.run, batch_max=10, queue_max=10)
    results = await asyncio.gather(*(combiner.submit(Command(n)) for n in (1, -1, 2)), return_exceptions=True)
    assert results[0] == 2
    assert results[2] == 4
    assert isinstance(results[1], ValueError)


async def test_commands_that_exclude_each_other_never_share_a_batch() -> None:
    batches = Batches()
    combiner: Combiner[Command, int] = Combiner(batches.run, batch_max=10, queue_max=10)
    await asyncio.gather(*(combiner.submit(Command(n, "key" if n < 3 else None)) for n in range(1, 5)))
    assert batches.seen == [[1, 3, 4], [2]]


async def test_a_full_queue_refuses_and_loses_nothing() -> None:
    batches = Batches()
    batches.gate.clear()
    combiner: Combiner[Command, int] = Combiner(batches.run, batch_max=1, queue_max=2)
    waiting = []
    for n in range(3):  # one runs, two wait
        waiting.append(asyncio.create_task(combiner.submit(Command(n))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(Fault):
        await combiner.submit(Command(99))
    batches.gate.set()
    assert await asyncio.gather(*waiting) == [0, 2, 4]
    await combiner.close()
