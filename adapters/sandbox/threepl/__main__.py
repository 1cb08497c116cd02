"""python -m adapters.sandbox.threepl --port 8093 --api-key K --stock FILE"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from adapters.sandbox.serve_sandbox import serve_sandbox
from adapters.sandbox.threepl.config import ConfigError, Defect, ProviderConfig
from adapters.sandbox.threepl.create_provider import create_provider

PLAIN = ProviderConfig()
PROG = "python -m adapters.sandbox.threepl"
SECRETS = ("api_key", "token", "webhook_secret")


def read_arguments(arguments: list[str], prog: str = PROG) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog, description="A sandbox 3PL: its own stock, ShipEngine Connect's contract of a fulfilment provider."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8093, help="port (default %(default)s)")
    parser.add_argument("--provider", default=PLAIN.provider, help="its code at Connect (default %(default)s)")
    parser.add_argument("--api-key", default=PLAIN.api_key, help="what a caller's auth has as api_key")
    parser.add_argument("--token", default=PLAIN.token, help="opens /faults, /advance and /stock")
    parser.add_argument("--webhook-secret", help="whsec_…: signs what comes to /hooks")
    parser.add_argument("--credentials", type=Path, help=f"JSON file with {', '.join(SECRETS)}, hidden from `ps`")
    parser.add_argument("--stock", type=Path, help="JSON object of units by SKU")
    parser.add_argument("--name", default=PLAIN.name, help="shown at /sandbox")
    parser.add_argument("--warehouse-id", default=PLAIN.warehouse_id, help="of its snapshots (default %(default)s)")
    parser.add_argument("--accept-seconds", type=float, default=PLAIN.accept_seconds, help="until it takes an order on")
    parser.add_argument("--ship-seconds", type=float, default=PLAIN.ship_seconds, help="until it ships one")
    parser.add_argument("--listed", action="store_true", help="a page of the snapshot is a list")
    parser.add_argument("--defect", type=Defect, action="append", choices=list(Defect), help="keep a rule badly")
    parser.add_argument("--seed", type=int, default=0, help="seed of the injected faults")
    return parser.parse_args(arguments)


def read_config(given: argparse.Namespace) -> ProviderConfig:
    """Raises ConfigError, or OSError when a file cannot be read."""
    secrets = {name: getattr(given, name) for name in SECRETS}
    if given.credentials:
        found = _read_object(given.credentials)
        secrets |= {name: str(found[name]) for name in SECRETS if name in found}
    found = _read_object(given.stock) if given.stock else {}
    stock = {sku: units for sku, units in found.items() if isinstance(units, int)}
    if len(stock) != len(found):
        raise ConfigError(f"{given.stock} is not a JSON object of units by SKU")
    return ProviderConfig(
        **secrets,
        name=given.name,
        provider=given.provider,
        warehouse_id=given.warehouse_id,
        stock=stock,
        accept_seconds=given.accept_seconds,
        ship_seconds=given.ship_seconds,
        listed=given.listed,
        defects=frozenset(given.defect or ()),
        seed=given.seed,
    )


def _read_object(path: Path) -> dict[str, object]:
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} is not a JSON object")
    return raw


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    given = read_arguments(sys.argv[1:] if arguments is None else arguments, prog)
    return serve_sandbox("3PL", given.host, given.port, lambda: create_provider(read_config(given)))


if __name__ == "__main__":
    sys.exit(main())
