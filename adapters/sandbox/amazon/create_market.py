"""Puts the marketplace together: state, faults, queue, API and doors, as one Starlette application."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.sandbox.amazon import serve_feeds, serve_listings, serve_orders, serve_returns
from adapters.sandbox.amazon.answer_calls import Endpoint, Gate
from adapters.sandbox.amazon.config import MarketConfig
from adapters.sandbox.amazon.grant_tokens import grant_token
from adapters.sandbox.amazon.inject_faults import Faults
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.persist_state import dump_market, load_market
from adapters.sandbox.amazon.queue_messages import Queue
from adapters.sandbox.amazon.serve_doors import MarketDoors
from adapters.sandbox.amazon.serve_queue import serve_queue
from adapters.sandbox.amazon.ship_order import confirm_shipment
from adapters.sandbox.amazon.state import State, load_product
from adapters.sandbox.amazon.work_off import work_off_forever
from adapters.sandbox.keep_file import kept_in

LISTINGS = "/listings/2021-08-01/items/{seller_id}"
FEEDS = "/feeds/2021-06-30"
ORDERS = "/orders/2026-01-01/orders"
RETURNS = "/externalFulfillment/2024-09-11/returns"


def create_market(config: MarketConfig) -> Starlette:
    """The marketplace's application. Its lifespan must run: what is due is done and the state is saved inside it.

    Raises ValueError when the saved state is not one of ours.
    """
    faults = Faults()
    faults.replace({"seed": config.seed})
    queue = Queue(random.Random(config.seed))  # noqa: S311 - repeatable on purpose
    market = Market(State(config, oversell=config.oversell), faults, queue)
    if config.state_path is not None:
        load_market(market, config.state_path)
    for product in config.products:
        load_product(market.state, product)
    app = Starlette(routes=list_routes(market), lifespan=lambda _: run_market(market))
    app.state.market = market
    return app


def list_routes(market: Market) -> list[Route]:
    gate, doors = Gate(market), MarketDoors(market)
    return [
        Route("/auth/o2/token", _bind(market, grant_token), methods=["POST"]),
        *_list_api(gate),
        Route("/documents/{document_id}", _bind(market, serve_feeds.put_document), methods=["PUT"]),
        Route("/documents/{document_id}", _bind(market, serve_feeds.fetch_document), methods=["GET"]),
        Route("/sqs", _bind(market, serve_queue), methods=["POST"]),
        Route("/", doors.show_page, methods=["GET"]),
        Route("/buy", doors.buy, methods=["POST"]),
        Route("/cancel", doors.cancel, methods=["POST"]),
        Route("/return", doors.open_return, methods=["POST"]),
        Route("/return-status", doors.move_return, methods=["POST"]),
        Route("/state", doors.show_state, methods=["GET"]),
        Route("/faults", doors.set_faults, methods=["POST"]),
        Route("/products", doors.load_products, methods=["POST"]),
        Route("/admin-sandbox/products", doors.load_products, methods=["POST"]),
        Route("/healthz", doors.show_health, methods=["GET"]),
    ]


def _list_api(gate: Gate) -> list[Route]:
    listings, feeds, orders = serve_listings, serve_feeds, serve_orders
    search, get = (
        gate.open("searchListingsItems", listings.search_items),
        gate.open("getListingsItem", listings.get_item),
    )
    patch = gate.open("patchListingsItem", listings.patch_item, commits=True)
    document = gate.open("createFeedDocument", feeds.create_document, success=201, commits=True)
    create = gate.open("createFeed", feeds.create_feed, success=202, commits=True)
    ship = gate.open("confirmShipment", confirm_shipment, success=204, commits=True)
    return [
        Route(LISTINGS, search, methods=["GET"]),
        Route(f"{LISTINGS}/{{sku:path}}", get, methods=["GET"]),
        Route(f"{LISTINGS}/{{sku:path}}", patch, methods=["PATCH"]),
        Route(f"{FEEDS}/documents", document, methods=["POST"]),
        Route(f"{FEEDS}/documents/{{document_id}}", gate.open("getFeedDocument", feeds.get_document), methods=["GET"]),
        Route(f"{FEEDS}/feeds", create, methods=["POST"]),
        Route(f"{FEEDS}/feeds/{{feed_id}}", gate.open("getFeed", feeds.get_feed), methods=["GET"]),
        Route(ORDERS, gate.open("searchOrders", orders.search_orders), methods=["GET"]),
        Route(f"{ORDERS}/{{order_id}}", gate.open("getOrder", orders.get_order), methods=["GET"]),
        Route(RETURNS, gate.open("listReturns", serve_returns.list_returns), methods=["GET"]),
        Route("/orders/v0/orders/{order_id}/shipmentConfirmation", ship, methods=["POST"]),
    ]


def _bind(market: Market, serve: Callable[[Market, Request], Awaitable[Response]]) -> Endpoint:
    async def answer(request: Request) -> Response:
        return await serve(market, request)

    return answer


@contextlib.asynccontextmanager
async def run_market(market: Market) -> AsyncIterator[None]:
    state, path = market.state, market.config.state_path
    async with kept_in(path, lambda: state.version, lambda clean: dump_market(market, clean=clean)):
        worker = asyncio.create_task(work_off_forever(market))
        try:
            yield
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
