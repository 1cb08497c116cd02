"""A sandbox marketplace as a simulation drives it: what all kinds have in common."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import httpx

from app.channels.connect_channel import ChannelConnect
from app.channels.link_listing import ListingLink
from tests.marketplaces import Marketplace

SECRET = "sandbox-secret"


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as its buyer knows it: one line. `id`: the marketplace's."""

    id: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class PutBack:
    """Units of an order that its marketplace put on sale again by itself, at `at`, for whoever buys until `until`.

    `gone`: how many of the order's units were gone then, these among them. `until`: its number was set anew.
    """

    order: str
    sku: str
    at: float
    units: int
    gone: int
    until: float


class Market(ABC):
    """One marketplace connected as channel `code`. `edits`: it can be told that some units of an order are cancelled."""

    kind = ""
    edits = False
    faults: ClassVar[dict[str, Any]] = {}
    """Everything that can go wrong here, at rates that leave it usable.

    A listing that was refused for good waits for a person, who comes when the faults are over.
    """

    def __init__(self, running: Marketplace, http: httpx.AsyncClient) -> None:
        self.running = running
        self.http = http

    @property
    def code(self) -> str:
        return f"sim-{self.kind}"

    @property
    def headers(self) -> dict[str, str]:
        return {}

    @staticmethod
    def arguments(webhook_url: str, state: Path) -> list[str]:
        return ["--state", str(state)]

    async def load(self, skus: Sequence[str]) -> Any:
        products = [{"sku": sku, "title": sku, "quantity": 0} for sku in skus]
        answer = await self._post("/admin-sandbox/products", products)
        answer.raise_for_status()
        return answer.json()

    async def buy(self, sku: str, quantity: int) -> str | None:
        """The order's id; None when it was not sold."""
        answer = await self._post("/buy", {"lines": [{"sku": sku, "quantity": quantity}]})
        return str(answer.json()["id"]) if answer.status_code == 201 else None

    @abstractmethod
    async def take_back(self, placed: Placed, chance: random.Random) -> bool:
        """Its buyer wants it no more, or some of it, in one of the ways there are; whether that was possible."""

    @abstractmethod
    async def cancel(self, order: str) -> bool:
        """All of it, at once; False when it is cancelled already."""

    async def _does(self, path: str, body: Any) -> bool:
        return (await self._post(path, body)).is_success

    async def set_faults(self, seed: int) -> None:
        (await self._post("/faults", {"seed": seed, **self.faults} if seed else {})).raise_for_status()

    async def fail(self, seed: int) -> None:
        """Every request is answered by an error of the server."""
        faults = {"seed": seed, **self.faults, "server_error": {"rate": 1.0}}
        (await self._post("/faults", faults)).raise_for_status()

    @staticmethod
    def is_cancelled(order: Any) -> bool:
        """What it says of an order in its state."""
        return bool(order["cancelled"])

    def count_live(self, order: Any) -> int:
        """Units that are wanted of an order in its state."""
        return 0 if self.is_cancelled(order) else sum(line["quantity"] for line in order["lines"])

    @staticmethod
    @abstractmethod
    def count_parcels(order: Any) -> int:
        """Parcels that it was told of, of an order in its state."""

    @staticmethod
    def list_put_back(shown: Any) -> list[PutBack]:
        """From its history, which is of its own clock."""
        gone, open_, done = Counter[tuple[str, str]](), list[PutBack](), list[PutBack]()
        for write in shown["history"]:
            sku, at = write["sku"], write["at"]
            if write["cause"] == "api":
                done += [replace(one, until=at) for one in open_ if one.sku == sku]
                open_ = [one for one in open_ if one.sku != sku]
            elif write.get("removed"):
                gone[write["order"], sku] += write["removed"]
                if write["delta"] > 0:
                    units = (write["delta"], gone[write["order"], sku])
                    open_.append(PutBack(write["order"], sku, at, *units, float("inf")))
        return [*done, *open_]

    def find_lies(self, shown: Any) -> dict[str, list[tuple[float, float, float]]]:
        """By SKU: from when to when an answer stood that said a write was applied, and when one last really was."""
        lies: dict[str, list[tuple[float, float, float]]] = {}
        applied: dict[str, float] = {}
        for write in shown["history"]:
            sku, at = write["sku"], write["at"]
            if write["cause"] == "not_applied":
                lies.setdefault(sku, []).append((at, float("inf"), applied.get(sku, 0.0)))
            elif write["cause"] == "api":
                applied[sku] = at
                lies[sku] = [(start, min(end, at), since) for start, end, since in lies.get(sku, ())]
        return lies

    async def state(self) -> Any:
        return (await self.http.get(f"{self.running.url}/state", timeout=60)).json()

    async def _post(self, path: str, body: Any) -> httpx.Response:
        return await self.http.post(self.running.url + path, json=body, headers=self.headers, timeout=30)

    @abstractmethod
    async def connect(self, skus: Sequence[str], warehouses: Sequence[str]) -> tuple[ChannelConnect, list[ListingLink]]:
        """What to connect it with, its shelves filled, and what it calls each SKU."""
