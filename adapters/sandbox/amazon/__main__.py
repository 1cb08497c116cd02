"""python -m adapters.sandbox.amazon --port 8092 --client-secret S --refresh-token R --state FILE"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import orjson

from adapters.sandbox.amazon.config import LIMITS, ConfigError, Limit, MarketConfig, ProductConfig
from adapters.sandbox.amazon.create_market import create_market
from adapters.sandbox.serve_sandbox import serve_sandbox

PROG = "python -m adapters.sandbox.amazon"
DEFAULTS = MarketConfig()
CREDENTIALS = ("client_id", "client_secret", "refresh_token")


def read_arguments(arguments: list[str], prog: str = PROG) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=prog,
        description="A sandbox Amazon marketplace: its own stock, its own orders, the Selling Partner API.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=8092, help="port (default %(default)s)")
    parser.add_argument("--client-id", default=DEFAULTS.client_id, help="the LWA client it knows")
    parser.add_argument("--client-secret", default=DEFAULTS.client_secret, help="that client's secret")
    parser.add_argument("--refresh-token", default=DEFAULTS.refresh_token, help="also the X-Sandbox-Token of its doors")
    parser.add_argument("--credentials", type=Path, help="JSON file with those three, which `ps` does not show")
    parser.add_argument("--seller", default=DEFAULTS.seller_id, help="the seller id (default %(default)s)")
    parser.add_argument("--marketplace", default=DEFAULTS.marketplace_id, help="the marketplace id")
    parser.add_argument("--state", type=Path, help="JSON file that keeps everything over a restart")
    parser.add_argument("--products", type=Path, help="JSON list of {sku,title,price,barcode,quantity,...}")
    parser.add_argument("--name", default=DEFAULTS.name, help="the marketplace's name")
    parser.add_argument("--currency", default=DEFAULTS.currency, help="of its prices (default %(default)s)")
    parser.add_argument("--limit", action="append", default=[], help="OPERATION=RATE/BURST, given again for more")
    parser.add_argument("--token-seconds", type=float, default=DEFAULTS.token_seconds, help="life of an access token")
    parser.add_argument("--apply-seconds", type=float, default=DEFAULTS.apply_seconds, help="from ACCEPTED to applied")
    parser.add_argument("--feed-seconds", type=float, default=5.0, help="from createFeed to DONE (default %(default)s)")
    parser.add_argument(
        "--pending-seconds", type=float, default=DEFAULTS.pending_seconds, help="until an order is paid"
    )
    parser.add_argument("--search-age-seconds", type=float, default=DEFAULTS.search_age_seconds, help="a search's end")
    parser.add_argument("--oversell", action="store_true", help="sell whatever is asked")
    parser.add_argument("--seed", type=int, default=0, help="seed of the injected faults")
    return parser.parse_args(arguments)


def read_config(given: argparse.Namespace) -> MarketConfig:
    """Raises ConfigError, or OSError when a file cannot be read."""
    named = {name: getattr(given, name) for name in CREDENTIALS}
    return MarketConfig(
        **(named | read_credentials(given.credentials) if given.credentials else named),
        currency=given.currency,
        seller_id=given.seller,
        marketplace_id=given.marketplace,
        state_path=given.state,
        name=given.name,
        products=read_products(given.products) if given.products else (),
        limits=read_limits(given.limit),
        token_seconds=given.token_seconds,
        apply_seconds=given.apply_seconds,
        feed_queue_seconds=given.feed_seconds / 2,
        feed_work_seconds=given.feed_seconds / 2,
        pending_seconds=given.pending_seconds,
        search_age_seconds=given.search_age_seconds,
        oversell=given.oversell,
        seed=given.seed,
    )


def read_limits(given: list[str]) -> dict[str, Limit]:
    limits = dict(LIMITS)
    for text in given:
        operation, _, limit = text.partition("=")
        limits[operation] = Limit.parse(limit)
    return limits


def read_credentials(path: Path) -> dict[str, str]:
    """`client_id` may be left out."""
    raw = orjson.loads(path.read_bytes())
    known = {name: raw[name] for name in CREDENTIALS if name in raw} if isinstance(raw, dict) else {}
    if not known.keys() >= {"client_secret", "refresh_token"} or not all(isinstance(v, str) for v in known.values()):
        raise ConfigError(f"{path} is not a JSON object with a client_secret and a refresh_token")
    return known


def read_products(path: Path) -> tuple[ProductConfig, ...]:
    raw = orjson.loads(path.read_bytes())
    if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
        raise ConfigError(f"{path} is not a JSON list of products")
    return tuple(ProductConfig.parse(entry) for entry in raw)


def main(arguments: list[str] | None = None, prog: str = PROG) -> int:
    given = read_arguments(sys.argv[1:] if arguments is None else arguments, prog)
    return serve_sandbox("marketplace", given.host, given.port, lambda: create_market(read_config(given)), given.state)


if __name__ == "__main__":
    sys.exit(main())
