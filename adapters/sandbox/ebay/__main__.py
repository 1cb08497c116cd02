"""python -m adapters.sandbox.ebay --port 8092 --token T --webhook-url U --state FILE --products FILE"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

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
from adapters.sandbox.serve_sandbox import serve_sandbox

PLAIN = AccountConfig()
PROG = "python -m adapters.sandbox.ebay"
SECRETS = ("token", "client_id", "client_secret", "refresh_token", "verification_token")


def read_arguments(arguments: list[str], prog: str = PROG) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog, description="A sandbox eBay seller account: its own stock, its own orders, the Sell APIs."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8092, help="port (default %(default)s)")
    parser.add_argument("--token", default=PLAIN.token, help="opens /faults and /admin-sandbox")
    parser.add_argument("--client-id", default=PLAIN.client_id, help="the application's id")
    parser.add_argument("--client-secret", default=PLAIN.client_secret, help="the application's secret")
    parser.add_argument("--refresh-token", default=PLAIN.refresh_token, help="the seller's refresh token")
    parser.add_argument("--verification-token", default=PLAIN.verification_token, help="of the webhook's endpoint")
    parser.add_argument("--credentials", type=Path, help=f"JSON file with {', '.join(SECRETS)}, hidden from `ps`")
    parser.add_argument("--token-seconds", type=float, default=TOKEN_SECONDS, help="life of an access token")
    parser.add_argument("--webhook-url", help="told of every topic from the start")
    parser.add_argument("--state", type=Path, help="JSON file that keeps the numbers over a restart")
    parser.add_argument("--products", type=Path, help="JSON list of {sku,title,price,barcode,quantity,group}")
    parser.add_argument("--name", default=PLAIN.name, help="shown on the page")
    parser.add_argument("--seller", default=PLAIN.seller, help="the seller's user name")
    parser.add_argument("--marketplace", default=PLAIN.marketplace, help="where it sells (default %(default)s)")
    parser.add_argument("--currency", default=PLAIN.currency, help="of its prices (default %(default)s)")
    parser.add_argument("--calls-per-day", type=int, help=f"of each API (default {CALLS_PER_DAY})")
    parser.add_argument("--revisions-per-day", type=int, default=REVISIONS_PER_DAY, help="of one listing")
    parser.add_argument("--at-zero", type=AtZero, choices=list(AtZero), default=AtZero.KEEP, help="what 0 does")
    parser.add_argument("--oversell", action="store_true", help="sell whatever is asked")
    parser.add_argument("--seed", type=int, default=0, help="seed of the injected faults")
    return parser.parse_args(arguments)


def read_config(given: argparse.Namespace) -> AccountConfig:
    """Raises ConfigError, or OSError when a file cannot be read."""
    calls = CALLS_PER_DAY if given.calls_per_day is None else dict.fromkeys(CALLS_PER_DAY, given.calls_per_day)
    secrets = {name: getattr(given, name) for name in SECRETS}
    if given.credentials:
        secrets |= read_credentials(given.credentials)
    return AccountConfig(
        **secrets,
        token_seconds=given.token_seconds,
        webhook_url=given.webhook_url,
        state_path=given.state,
        name=given.name,
        seller=given.seller,
        marketplace=given.marketplace,
        currency=given.currency,
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


def read_credentials(path: Path) -> dict[str, str]:
    """Some or all of `SECRETS`; what the file leaves out keeps its default."""
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, dict) or not all(isinstance(raw.get(name, ""), str) for name in SECRETS):
        raise ConfigError(f"{path} is not a JSON object with {', '.join(SECRETS)}")
    return {name: raw[name] for name in SECRETS if name in raw}


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    given = read_arguments(sys.argv[1:] if arguments is None else arguments, prog)
    return serve_sandbox("account", given.host, given.port, lambda: create_account(read_config(given)), given.state)


if __name__ == "__main__":
    sys.exit(main())
