"""python -m adapters.sandbox.ebay --port 8092 --token T --webhook-url U --state FILE --products FILE"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson
import uvicorn

from adapters.sandbox.ebay.config import (
    CALLS_PER_DAY,
    REVISIONS_PER_DAY,
    TOKEN_SECONDS,
    AccountConfig,
    AtZero,
    ConfigError,
    ProductConfig,
)
from adapters.sandbox.ebay.create_account import create_account

PLAIN = AccountConfig()


def read_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m adapters.sandbox.ebay",
        description="A sandbox eBay seller account: its own stock, its own orders, the Sell APIs.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8092, help="port (default %(default)s)")
    parser.add_argument("--token", default=PLAIN.token, help="opens /faults and /admin-sandbox")
    parser.add_argument("--client-id", default=PLAIN.client_id, help="the application's id")
    parser.add_argument("--client-secret", default=PLAIN.client_secret, help="the application's secret")
    parser.add_argument("--refresh-token", default=PLAIN.refresh_token, help="the seller's refresh token")
    parser.add_argument("--token-seconds", type=float, default=TOKEN_SECONDS, help="life of an access token")
    parser.add_argument("--webhook-url", help="told of every topic from the start")
    parser.add_argument("--verification-token", default=PLAIN.verification_token, help="of that endpoint")
    parser.add_argument("--state", type=Path, help="JSON file that keeps the numbers over a restart")
    parser.add_argument("--products", type=Path, help="JSON list of {sku,title,price,barcode,quantity,group}")
    parser.add_argument("--name", default=PLAIN.name, help="shown on the page")
    parser.add_argument("--seller", default=PLAIN.seller, help="the seller's user name")
    parser.add_argument("--calls-per-day", type=int, help=f"of each API (default {CALLS_PER_DAY})")
    parser.add_argument("--revisions-per-day", type=int, default=REVISIONS_PER_DAY, help="of one listing")
    parser.add_argument("--at-zero", type=AtZero, choices=list(AtZero), default=AtZero.KEEP, help="what 0 does")
    parser.add_argument("--oversell", action="store_true", help="sell whatever is asked")
    parser.add_argument("--seed", type=int, default=0, help="seed of the injected faults")
    return parser.parse_args(arguments)


def read_config(given: argparse.Namespace) -> AccountConfig:
    """Raises ConfigError, or OSError when the product file cannot be read."""
    calls = CALLS_PER_DAY if given.calls_per_day is None else dict.fromkeys(CALLS_PER_DAY, given.calls_per_day)
    return AccountConfig(
        token=given.token,
        client_id=given.client_id,
        client_secret=given.client_secret,
        refresh_token=given.refresh_token,
        token_seconds=given.token_seconds,
        webhook_url=given.webhook_url,
        verification_token=given.verification_token,
        state_path=given.state,
        name=given.name,
        seller=given.seller,
        products=read_products(given.products) if given.products else (),
        calls_per_day=dict(calls),
        revisions_per_day=given.revisions_per_day,
        at_zero=given.at_zero,
        oversell=given.oversell,
        seed=given.seed,
    )


def read_products(path: Path) -> tuple[ProductConfig, ...]:
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
        raise ConfigError(f"{path} is not a JSON list of products")
    return tuple(ProductConfig.parse(entry) for entry in raw)


def main(arguments: list[str] | None = None) -> int:
    given = read_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        app = create_account(read_config(given))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"the sandbox account cannot start: {error}\n")
        return 2
    uvicorn.run(app, host=given.host, port=given.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
