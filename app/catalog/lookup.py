"""Natural keys to ids: SKU codes or barcodes and warehouse codes, remembered in the process.

A SKU code never changes its id, so codes are remembered for good; barcodes and warehouses may change and are
read anew after `FRESH_SECONDS`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapters.postgres.database import Database
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

FRESH_SECONDS = 2.0
REMEMBERED_MAX = 200_000
WORKING = frozenset({"LIVE"})
BOOKED = WORKING | {"ONBOARDING", "SHADOW"}
"""Where stock is written down: before a warehouse is LIVE, so that its own system's numbers are held against it."""


@dataclass(frozen=True, slots=True)
class KnownWarehouse:
    id: int
    code: str
    status: str
    latitude: float | None
    longitude: float | None


@dataclass(slots=True)
class Lookup:
    """Ids by natural key for one process."""

    database: Database
    _skus: dict[str, int] = field(default_factory=dict)
    _codes: dict[int, str] = field(default_factory=dict)
    _warehouses: dict[str, KnownWarehouse] = field(default_factory=dict)
    _warehouses_at: float = float("-inf")

    async def find_skus(self, codes: Iterable[str]) -> dict[str, int]:
        """Ids of SKU codes or barcodes; what is unknown is left out. A code wins over an equal barcode."""
        known: dict[str, int] = {}
        missing: list[str] = []
        for code in codes:
            sku_id = self._skus.get(code)
            if sku_id is None:
                missing.append(code)
            else:
                known[code] = sku_id
        if missing:
            known |= await self._read_skus(list(set(missing)))
        return known

    async def _read_skus(self, missing: list[str]) -> dict[str, int]:
        records = await self.database.lookups.fetch(
            "SELECT id, code, barcode FROM skus WHERE code = ANY($1::text[]) OR barcode = ANY($1::text[])",
            missing,
        )
        if len(self._skus) > REMEMBERED_MAX:
            self._skus.clear()
        by_barcode = {record[2]: record[0] for record in records if record[2] is not None}
        by_code = {record[1]: record[0] for record in records}
        self._skus |= {code: sku_id for code, sku_id in by_code.items() if code in missing}
        found = by_barcode | by_code
        return {code: found[code] for code in missing if code in found}

    async def warehouses(self) -> dict[str, KnownWarehouse]:
        """All warehouses by code, at most `FRESH_SECONDS` old."""
        if time.monotonic() - self._warehouses_at > FRESH_SECONDS:
            await self.reload_warehouses()
        return self._warehouses

    async def reload_warehouses(self) -> None:
        records = await self.database.lookups.fetch(
            "SELECT id, code, status, latitude, longitude FROM warehouses ORDER BY id"
        )
        self._warehouses = {record[1]: KnownWarehouse(*record) for record in records}
        self._warehouses_at = time.monotonic()

    async def find_warehouse(
        self, code: str, principal: Principal, path: tuple[str, ...], *, open_only: bool = True, booking: bool = False
    ) -> KnownWarehouse:
        """The warehouse, if this principal may see it. Raises `Refusal`: the same for hidden and for unknown.

        `booking`: only to say what it holds, as one may before it is LIVE.
        """
        found = (await self.warehouses()).get(code)
        if found is None:
            await self.reload_warehouses()
            found = self._warehouses.get(code)
        if found is None or not principal.sees_warehouse(found.id):
            raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, f"There is no warehouse {code!r}.", path)
        if open_only and found.status not in (BOOKED if booking else WORKING):
            why = "is closed" if found.status == "CLOSED" else f"is {found.status}: its own system is in charge"
            raise Refusal(RefusalCode.WAREHOUSE_CLOSED, f"Warehouse {code!r} {why}.", path)
        return found


def sku_not_found(code: str, path: tuple[str, ...]) -> Refusal:
    return Refusal(
        RefusalCode.SKU_NOT_FOUND,
        f"There is no SKU with the code or barcode {code!r}: create it with skuUpsert.",
        path,
    )
