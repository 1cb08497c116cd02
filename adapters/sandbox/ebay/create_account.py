"""Puts the account together: state, faults, postman, tokens, APIs and doors, as one Starlette application."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.routing import Route

from adapters.sandbox.ebay.config import AccountConfig
from adapters.sandbox.ebay.deliver_notifications import Postman
from adapters.sandbox.ebay.inject_faults import Faults
from adapters.sandbox.ebay.issue_refunds import Refunds
from adapters.sandbox.ebay.issue_tokens import TokenKind, Tokens
from adapters.sandbox.ebay.persist_state import dump_state, load_state
from adapters.sandbox.ebay.search_orders import OrderSearch
from adapters.sandbox.ebay.serve_analytics import Analytics
from adapters.sandbox.ebay.serve_api import Door, Handler
from adapters.sandbox.ebay.serve_doors import Doors
from adapters.sandbox.ebay.serve_fulfillment import Fulfillments
from adapters.sandbox.ebay.serve_inventory import Inventory
from adapters.sandbox.ebay.serve_notifications import TOPICS, Notifications
from adapters.sandbox.ebay.set_quantities import BulkUpdate
from adapters.sandbox.ebay.state import Destination, State, Subscription, load_product, now, open_state
from adapters.sandbox.keep_file import kept_in

USER, APPLICATION = TokenKind.USER, TokenKind.APPLICATION


def create_account(config: AccountConfig) -> Starlette:
    """The account's application. Its lifespan must run: events are sent and the state is saved inside it.

    Raises ValueError when the saved state is not one of ours.
    """
    state, faults, tokens = open_state(config), Faults(), Tokens(config)
    faults.replace({"seed": config.seed})
    postman = Postman(state, faults)
    if config.state_path is not None:
        load_state(state, postman, config.state_path)
    for product in config.products:
        load_product(state, product)
    if config.webhook_url:
        subscribe_from_start(state, config.webhook_url)
    state.emit = postman.emit
    doors = Doors(state, faults, postman, tokens)
    app = Starlette(
        routes=[*list_api_routes(Door(state, faults, tokens), postman), *list_door_routes(doors)],
        lifespan=lambda _: run_account(state, postman),
    )
    app.state.account = state
    return app


def subscribe_from_start(state: State, endpoint: str) -> None:
    """The endpoint hears every topic, as if the application had set it up before."""
    known = next((one for one in state.destinations.values() if one.endpoint == endpoint), None)
    if known is None:
        known = Destination("sandbox", "sandbox", endpoint, state.config.verification_token, "ENABLED")
        state.destinations[known.destination_id] = known
    known.status = "ENABLED"
    state.alert_email = state.alert_email or "alerts@sandbox.invalid"
    taken = {one.topic for one in state.subscriptions.values()}
    for topic in TOPICS.keys() - taken:
        made = Subscription(f"sandbox-{topic}", topic, known.destination_id, "ENABLED", now())
        state.subscriptions[made.subscription_id] = made
    state.touch()


def list_api_routes(door: Door, postman: Postman) -> list[Route]:
    return [
        Route("/identity/v1/oauth2/token", door.tokens.grant, methods=["POST"]),
        *list_sell_routes(door),
        *list_told_routes(door, Notifications(door.state, postman)),
    ]


def list_sell_routes(door: Door) -> list[Route]:
    inventory, bulk = Inventory(door.state), BulkUpdate(door.state, door.faults)
    orders, shipping = OrderSearch(door.state, door.faults), Fulfillments(door.state, door.faults)
    items = Mount(door, "inventory", "/sell/inventory/v1")
    sold = Mount(door, "fulfillment", "/sell/fulfillment/v1")
    return [
        items.route("POST", "/bulk_update_price_quantity", bulk.answer, USER),
        items.route("POST", "/bulk_get_inventory_item", inventory.get_items_in_bulk, USER),
        items.route("GET", "/inventory_item", inventory.get_items, USER),
        items.route("GET", "/inventory_item/{sku}", inventory.get_item, USER),
        items.route("GET", "/offer", inventory.get_offers, USER),
        items.route("GET", "/offer/{offer_id}", inventory.get_offer, USER),
        items.route("POST", "/offer/{offer_id}/publish", inventory.publish, USER),
        items.route("POST", "/offer/{offer_id}/withdraw", inventory.withdraw, USER),
        sold.route("GET", "/order", orders.answer, USER),
        sold.route("GET", "/order/{order_id}", shipping.get_order, USER),
        sold.route("GET", "/order/{order_id}/shipping_fulfillment", shipping.get_fulfillments, USER),
        sold.route("POST", "/order/{order_id}/shipping_fulfillment", shipping.create_fulfillment, USER),
        sold.route("POST", "/order/{order_id}/issue_refund", Refunds(door.state, door.faults).issue, USER),
    ]


def list_told_routes(door: Door, told: Notifications) -> list[Route]:
    news = Mount(door, "notification", "/commerce/notification/v1")
    limits, analytics = Mount(door, "analytics", "/developer/analytics/v1_beta"), Analytics(door.state)
    return [
        news.route("GET", "/config", told.get_config, APPLICATION),
        news.route("PUT", "/config", told.put_config, APPLICATION),
        news.route("GET", "/destination", told.list_destinations, APPLICATION),
        news.route("POST", "/destination", told.create_destination, APPLICATION),
        news.route("PUT", "/destination/{destination_id}", told.update_destination, APPLICATION),
        news.route("GET", "/subscription", told.list_subscriptions, USER, APPLICATION),
        news.route("POST", "/subscription", told.create_subscription, USER, APPLICATION),
        news.route("PUT", "/subscription/{subscription_id}", told.update_subscription, USER, APPLICATION),
        news.route("POST", "/subscription/{subscription_id}/test", told.test_subscription, USER, APPLICATION),
        news.route("GET", "/topic", told.list_topics, APPLICATION),
        news.route("GET", "/topic/{topic_id}", told.get_topic, APPLICATION),
        news.route("GET", "/public_key/{key_id}", told.get_public_key, APPLICATION),
        limits.route("GET", "/rate_limit/", analytics.get_rate_limits, APPLICATION),
        limits.route("GET", "/user_rate_limit/", analytics.get_user_rate_limits, USER),
    ]


@dataclass(frozen=True, slots=True)
class Mount:
    """Where one API lives, and under which name its calls are counted."""

    door: Door
    api: str
    base: str

    def route(self, verb: str, path: str, handler: Handler, *kinds: TokenKind) -> Route:
        return Route(f"{self.base}{path}", self.door.guard(self.api, handler, *kinds), methods=[verb])


def list_door_routes(doors: Doors) -> list[Route]:
    return [
        Route("/", doors.show_page, methods=["GET"]),
        Route("/buy", doors.buy, methods=["POST"]),
        Route("/pay", doors.pay, methods=["POST"]),
        Route("/cancel", doors.cancel, methods=["POST"]),
        Route("/state", doors.show_state, methods=["GET"]),
        Route("/faults", doors.set_faults, methods=["POST"]),
        Route("/admin-sandbox/products", doors.load_products, methods=["POST"]),
        Route("/healthz", doors.show_health, methods=["GET"]),
    ]


@contextlib.asynccontextmanager
async def run_account(state: State, postman: Postman) -> AsyncIterator[None]:
    path = state.config.state_path
    async with kept_in(path, lambda: state.version, lambda clean: dump_state(state, postman, clean=clean)):
        await postman.start()
        try:
            yield
        finally:
            await postman.stop()
