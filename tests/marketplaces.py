"""Sandbox marketplaces in their own processes, and Onhand connected to them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from adapters.trust_system import trust_system
from app.embedded import free_port
from app.settings import Settings
from tests.instance import Running

READY_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Marketplace:
    """A running sandbox."""

    url: str
    process: subprocess.Popen[bytes]

    def state(self, since: float = 0.0) -> Any:
        return httpx.get(f"{self.url}/state", params={"since": since}, timeout=20, verify=trust_system()).json()


@contextmanager
def running_marketplace(kind: str, folder: Path, *arguments: str) -> Iterator[Marketplace]:
    """`python -m adapters.sandbox.<kind>` on a free port, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", f"adapters.sandbox.{kind}", "--port", str(port), *arguments]
    with (folder / f"{kind}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process)
        yield Marketplace(url, process)
    finally:
        process.terminate()
        process.wait(15)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < end:
        assert process.poll() is None
        try:
            if httpx.get(f"{url}/healthz", timeout=1, verify=trust_system()).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


def settings_of(instance: Running) -> Settings:
    """Settings that reach a running instance's servers and open its credentials."""
    folder = Path(instance.info["token_file"]).parent
    return Settings(
        database_url=instance.info["database_url"],
        redis_url=instance.info["redis_url"],
        secret_key=(folder / "secret-key").read_text().strip(),
    )


def load_products(market: Marketplace, skus: Sequence[str], token: str, quantity: int = 0) -> dict[str, str]:
    """Make products at a sandbox Shopify store; inventory item ids by SKU."""
    products = [{"sku": sku, "title": sku, "quantity": quantity} for sku in skus]
    answer = httpx.post(
        f"{market.url}/admin-sandbox/products",
        json=products,
        headers={"X-Shopify-Access-Token": token},
        timeout=30,
        verify=trust_system(),
    )
    answer.raise_for_status()
    items: dict[str, str] = answer.json()["inventory_items"]
    return items
