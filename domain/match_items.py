"""Which SKU an item of a channel is: by code, else by barcode, and only when nothing speaks against it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """What a channel lists at one of its locations."""

    external_id: str
    sku: str | None
    barcode: str | None
    title: str | None = None
    location: str = ""
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A SKU of ours."""

    id: int
    code: str
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """What we know. `linked`: SKU id by (external id, location). `locations`: those the channel is published at."""

    by_code: Mapping[str, Candidate]
    by_barcode: Mapping[str, Candidate]
    linked: Mapping[tuple[str, str], int]
    locations: frozenset[str]


@dataclass(frozen=True, slots=True)
class Match:
    """An item and its SKU, at the location where it will be listed."""

    item: Item
    sku: Candidate
    location: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An item that a person must look at, and why, in a sentence."""

    item: Item
    reason: str


@dataclass(frozen=True, slots=True)
class Matching:
    """`links`: to be made. `review`: left to people. `known`: how many are linked already."""

    links: tuple[Match, ...]
    review: tuple[Unmatched, ...]
    known: int


class _Doubt(Exception):
    pass


def match_items(items: Sequence[Item], known: Known) -> Matching:
    """An item is linked when it alone, of all items given, is that SKU at that location, and the SKU is free there."""
    found: list[Match | Unmatched] = []
    linked = 0
    for item in items:
        if (item.external_id, item.location) in known.linked:
            linked += 1
            continue
        try:
            found.append(_match(item, known))
        except _Doubt as doubt:
            found.append(Unmatched(item, str(doubt)))
    claims = Counter((one.sku.id, one.location) for one in found if isinstance(one, Match))
    held = {(sku_id, location): external for (external, location), sku_id in known.linked.items()}
    decided = [one if isinstance(one, Unmatched) else _confirm(one, claims, held) for one in found]
    links = tuple(one for one in decided if isinstance(one, Match))
    return Matching(links, tuple(one for one in decided if isinstance(one, Unmatched)), linked)


def _match(item: Item, known: Known) -> Match:
    location = item.location
    if location not in known.locations:
        if location or len(known.locations) != 1:
            raise _Doubt(f"No warehouse of ours is shown at its location {location!r}.")
        (location,) = known.locations
    if not item.sku and not item.barcode:
        raise _Doubt("It has neither a SKU nor a barcode.")
    by_code = known.by_code.get(item.sku or "")
    by_barcode = known.by_barcode.get(item.barcode or "")
    if by_code is not None and by_barcode is not None and by_code.id != by_barcode.id:
        raise _Doubt(f"Its SKU is {by_code.code!r}, and its barcode that of {by_barcode.code!r}.")
    sku = by_code or by_barcode
    if sku is None:
        given = [f"SKU {item.sku!r}"] * bool(item.sku) + [f"barcode {item.barcode!r}"] * bool(item.barcode)
        raise _Doubt(f"We know no {' and no '.join(given)}.")
    if sku.archived:
        raise _Doubt(f"SKU {sku.code!r} is archived.")
    return Match(item, sku, location)


def _confirm(
    match: Match, claims: Mapping[tuple[int, str], int], held: Mapping[tuple[int, str], str]
) -> Match | Unmatched:
    place = (match.sku.id, match.location)
    if place in held:
        return Unmatched(match.item, f"SKU {match.sku.code!r} is linked to {held[place]!r} already.")
    if claims[place] > 1:
        return Unmatched(match.item, f"{claims[place]} items of the channel are SKU {match.sku.code!r}.")
    return match
