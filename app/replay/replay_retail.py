"""Replay real orders through the doors that channels' orders come through, as fast as it goes or at a pace."""

from __future__ import annotations

import asyncio
import csv
import gzip
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.orders.take_order import take_order
from app.progress import Progress
from app.replay.retail_shop import CURRENCY, choose_channel, open_shop
from app.state import State
from domain.online_retail import COLUMNS, BadRow, Invoice, InvoiceKind, Story, Word, cut_days, read_invoices, tell_story

LANES = 12
"""Words at once; those of one customer come one after the other."""
PROGRESS_SECONDS = 0.2


@dataclass(slots=True)
class Replayed:
    """What was replayed; what became of it is in the database (`report_retail`)."""

    invoices: Sequence[Invoice]
    story: Story
    channels: Mapping[str, int]
    seconds: float
    failed: list[str] = field(default_factory=list)


async def replay_retail(
    state: State, file: Path, days: int | None, speed: float | None, progress: Progress
) -> Replayed:
    """`days`: of the file, from its first; `speed`: how many times faster than it happened, None for no pace.

    A second run says the same words again, and changes nothing. Raises `BadRow`, or OSError for the file.
    """
    progress.step(f"Reading {file.name}")
    invoices = cut_days(await asyncio.to_thread(read_file, file), days)
    story = tell_story(invoices)
    channels = await open_shop(state, invoices, progress)
    progress.step("Orders and cancellations")
    started = time.monotonic()
    replay = _Replay(state, channels, story.words, speed, progress)
    failed = await replay.run()
    return Replayed(invoices, story, channels, time.monotonic() - started, failed)


def read_file(file: Path) -> list[Invoice]:
    """Plain, or packed when its name ends with .gz."""
    packed = file.suffix == ".gz"
    with gzip.open(file, "rt", encoding="utf-8") if packed else file.open(encoding="utf-8") as text:
        rows = csv.DictReader(text)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise BadRow(f"{file.name} has no column {missing[0]}: it is none of Online Retail.")
        return read_invoices(rows)


class _Replay:
    """Lanes that say their words one after the other."""

    def __init__(
        self, state: State, channels: Mapping[str, int], words: Sequence[Word], speed: float | None, progress: Progress
    ) -> None:
        self._state, self._channels, self._speed, self._progress = state, channels, speed, progress
        self._words, self._began, self._done = words, time.monotonic(), 0
        self._shown = 0.0
        self._failed: list[str] = []

    async def run(self) -> list[str]:
        """The numbers of invoices whose words could not be taken, with the reason."""
        lanes: list[list[Word]] = [[] for _ in range(LANES)]
        for word in self._words:
            lanes[_lane(word.order)].append(word)
        await asyncio.gather(*(self._say(lane) for lane in lanes))
        self._progress.count(len(self._words), len(self._words))
        return self._failed

    async def _say(self, lane: Sequence[Word]) -> None:
        for word in lane:
            await self._wait(word)
            channel = self._channels[choose_channel(word.order)]
            try:
                await take_order(self._state, channel, write_order(word))
            except Exception as error:  # the report must account for every invoice
                self._failed.append(f"{word.cause}: {error!r}")
            self._done += 1
            if time.monotonic() - self._shown > PROGRESS_SECONDS:
                self._shown = time.monotonic()
                self._progress.show(self._done, len(self._words))

    async def _wait(self, word: Word) -> None:
        if self._speed is not None:
            due = (word.at - self._words[0].at).total_seconds() / self._speed
            await asyncio.sleep(max(0.0, self._began + due - time.monotonic()))


def _lane(invoice: Invoice) -> int:
    return zlib.crc32((invoice.customer or invoice.number).encode()) % LANES


def write_order(word: Word) -> ChannelOrder:
    """The word as a channel would report it."""
    order = word.order
    return ChannelOrder(
        external_id=order.number,
        name=order.number,
        placed_at=order.at,
        lines=tuple(_write_lines(word)),
        country_code=order.country,
        cancelled=word.cancelled,
        version=word.version,
        total=sum((line.unit_price * n for line, n in zip(order.lines, word.units, strict=True)), start=Decimal(0)),
        currency=CURRENCY,
    )


def _write_lines(word: Word) -> Iterator[ChannelOrderLine]:
    for number, (line, units) in enumerate(zip(word.order.lines, word.units, strict=True), start=1):
        if units:
            yield ChannelOrderLine(str(number), line.code, line.title, units, line.unit_price)


def count_kinds(invoices: Sequence[Invoice]) -> dict[InvoiceKind, int]:
    return {kind: sum(invoice.kind is kind for invoice in invoices) for kind in InvoiceKind}
