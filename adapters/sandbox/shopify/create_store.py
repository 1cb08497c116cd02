"""Puts the store together: state, faults, postman, Admin API and doors, as one Starlette application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.routing import Route

from adapters.sandbox.keep_file import kept_in
from adapters.sandbox.shopify.config import StoreConfig
from adapters.sandbox.shopify.deliver_webhooks import Postman
from adapters.sandbox.shopify.inject_faults import Faults
from adapters.sandbox.shopify.measure_cost import Bucket
from adapters.sandbox.shopify.persist_state import dump_state, load_state
from adapters.sandbox.shopify.schema import build_store_schema
from adapters.sandbox.shopify.serve_graphql import AdminApi
from adapters.sandbox.shopify.serve_orders import OrderDoors
from adapters.sandbox.shopify.serve_store import StoreDoors
from adapters.sandbox.shopify.state import State, load_config, open_state


def create_store(config: StoreConfig) -> Starlette:
    """The store's application. Its lifespan must run: webhooks are sent and the state is saved inside it.

    Raises ValueError when the saved state is not one of ours.
    """
    state, faults = open_state(config), Faults()
    faults.replace({"seed": config.seed})
    postman = Postman(state, faults)
    if config.state_path is not None:
        load_state(state, postman, config.state_path)
    load_config(state)
    state.emit = postman.emit
    points_max = config.points_max or 10 * config.restore_rate
    api = AdminApi(state, faults, build_store_schema(), Bucket(points_max, config.restore_rate))
    app = Starlette(
        routes=list_routes(api, StoreDoors(state, faults, postman), OrderDoors(state, faults)),
        lifespan=lambda _: run_store(state, postman),
    )
    app.state.store = state
    return app


def list_routes(api: AdminApi, doors: StoreDoors, orders: OrderDoors) -> list[Route]:
    return [
        Route("/admin/api/{version}/graphql.json", api.answer, methods=["POST"]),
        Route("/admin/oauth/access_token", orders.grant, methods=["POST"]),
        Route("/", doors.show_page, methods=["GET"]),
        Route("/buy", doors.buy, methods=["POST"]),
        Route("/state", doors.show_state, methods=["GET"]),
        Route("/faults", doors.set_faults, methods=["POST"]),
        Route("/products", doors.load_products, methods=["POST"]),
        Route("/admin-sandbox/products", doors.load_products, methods=["POST"]),
        Route("/orders/{verb}", orders.change_order, methods=["POST"]),
        Route("/unstock", doors.unstock, methods=["POST"]),
        Route("/uninstall", orders.uninstall, methods=["POST"]),
        Route("/install", orders.install, methods=["POST"]),
        Route("/healthz", doors.show_health, methods=["GET"]),
    ]


@contextlib.asynccontextmanager
async def run_store(state: State, postman: Postman) -> AsyncIterator[None]:
    path = state.config.state_path
    async with kept_in(path, lambda: state.version, lambda clean: dump_state(state, postman, clean=clean)):
        await postman.start()
        try:
            yield
        finally:
            await postman.stop()
