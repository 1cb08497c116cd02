"""python -m adapters.sandbox.shopify --port 8091 --token T --secret S --webhook-url U --state FILE"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from adapters.sandbox.serve_sandbox import serve_sandbox
from adapters.sandbox.shopify.config import ConfigError, LocationConfig, ProductConfig, StoreConfig
from adapters.sandbox.shopify.create_store import create_store

PROG = "python -m adapters.sandbox.shopify"


def read_arguments(arguments: list[str], prog: str = PROG) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="A sandbox Shopify store: its own stock, its own orders, the Admin API 2026-07.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8091, help="port (default %(default)s)")
    parser.add_argument("--token", default="sandbox-token", help="the X-Shopify-Access-Token it accepts")
    parser.add_argument("--secret", default="sandbox-secret", help="signs the webhooks")
    parser.add_argument("--credentials", type=Path, help="JSON file with token and secret, which `ps` does not show")
    parser.add_argument("--refresh-token", help="the token then ends after --token-seconds, and this renews it once")
    parser.add_argument("--token-seconds", type=float, default=3600.0, help="(default %(default)s)")
    parser.add_argument("--webhook-url", help="subscribed to every topic from the start")
    parser.add_argument("--state", type=Path, help="JSON file that keeps the numbers over a restart")
    parser.add_argument(
        "--products", type=Path, help="JSON list of {sku,title,price,barcode,quantity,quantities,tracked}"
    )
    parser.add_argument("--name", default="Sandbox Store", help="the shop's name")
    parser.add_argument("--domain", default="sandbox.myshopify.com", help="sent as X-Shopify-Shop-Domain")
    parser.add_argument("--currency", default="USD", help="of its prices (default %(default)s)")
    parser.add_argument("--location", action="append", help="name of a location; give it again for more")
    parser.add_argument("--restore-rate", type=int, default=100, help="points per second (default 100)")
    parser.add_argument("--oversell", action="store_true", help="sell whatever is asked")
    parser.add_argument("--seed", type=int, default=0, help="seed of the injected faults")
    return parser.parse_args(arguments)


def read_config(given: argparse.Namespace) -> StoreConfig:
    """Raises ConfigError, or OSError when a file cannot be read."""
    names = given.location or ["Sandbox store shelf"]
    token, secret = read_credentials(given.credentials) if given.credentials else (given.token, given.secret)
    return StoreConfig(
        token=token,
        webhook_secret=secret,
        refresh_token=given.refresh_token,
        token_seconds=given.token_seconds,
        webhook_url=given.webhook_url,
        state_path=given.state,
        name=given.name,
        domain=given.domain,
        currency=given.currency,
        locations=tuple(LocationConfig(name) for name in names),
        products=read_products(given.products) if given.products else (),
        restore_rate=given.restore_rate,
        oversell=given.oversell,
        seed=given.seed,
    )


def read_products(path: Path) -> tuple[ProductConfig, ...]:
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
        raise ConfigError(f"{path} is not a JSON list of products")
    return tuple(ProductConfig.parse(entry) for entry in raw)


def read_credentials(path: Path) -> tuple[str, str]:
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, dict) or not all(isinstance(raw.get(name), str) for name in ("token", "secret")):
        raise ConfigError(f"{path} is not a JSON object with a token and a secret")
    return raw["token"], raw["secret"]


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    given = read_arguments(sys.argv[1:] if arguments is None else arguments, prog)
    return serve_sandbox("store", given.host, given.port, lambda: create_store(read_config(given)), given.state)


if __name__ == "__main__":
    sys.exit(main())
