"""What one process shares: opened once at start, passed down, closed at the end."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import httpx
from broadcaster import Broadcast

from adapters.places.find_place import Places
from adapters.postgres.database import Database, open_database
from adapters.redis.broadcast import ReconnectingRedisBackend
from adapters.redis.quota import open_quota_client
from adapters.trust_system import trust_system
from app.approvals.lookup_policies import Policies
from app.catalog.lookup import Lookup
from app.channels.keep_secrets import Keeper
from app.channels.open_channel import ChannelBook
from app.channels.share_quota import open_quota
from app.feed.doorbell import Doorbell
from app.feed.hub import Hub
from app.identity.authenticate import Authenticator
from app.identity.verify_jwt import JwtVerifier
from app.metrics import BROADCAST_DROPPED, BROADCAST_RECONNECTS
from app.routing.read_facts import RoutingFacts
from app.run_once import Answer
from app.settings import Settings
from app.stock.combine import Combiner
from app.stock.run_commands import StockCommand, run_commands

Place = tuple[datetime.datetime | None, datetime.datetime | None, UUID | None]
"""Of an order among those that wait: its promise, when it was placed, its id. Nones: before the first."""


@dataclass(slots=True)
class Swept:
    """Whom the last sweep of what waits for stock came to."""

    after: Place = (None, None, None)


@dataclass(slots=True)
class State:
    settings: Settings
    database: Database
    doorbell: Doorbell
    hub: Hub
    authenticator: Authenticator
    lookup: Lookup
    combiner: Combiner[Any, Answer]
    http: httpx.AsyncClient
    channels: ChannelBook
    routing: RoutingFacts
    places: Places
    policies: Policies
    swept: Swept = field(default_factory=Swept)


@asynccontextmanager
async def open_state(settings: Settings, name: str) -> AsyncIterator[State]:
    """Open pools, the doorbell and the feed hub. `name` shows in `pg_stat_activity`."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            open_database(
                settings.database_url,
                pool_size=settings.database_pool_size,
                hot_pool_size=settings.database_hot_pool_size,
                name=name,
            )
        )
        http = await stack.enter_async_context(
            httpx.AsyncClient(timeout=settings.channel_timeout_seconds, verify=trust_system())
        )
        broadcast = Broadcast(
            backend=ReconnectingRedisBackend(settings.redis_url, BROADCAST_RECONNECTS.inc, BROADCAST_DROPPED.inc)
        )
        doorbell = await stack.enter_async_context(Doorbell(broadcast))
        hub = await stack.enter_async_context(Hub(database, doorbell, settings))
        jwt = JwtVerifier(settings, http) if settings.jwt_jwks_url else None
        authenticator = Authenticator(database, settings.token_cache_seconds, jwt)
        stack.callback(doorbell.listen("tokens", authenticator.forget))

        async def run_batch(commands: Any) -> list[Answer | Exception]:
            results = await run_commands(database, commands)
            doorbell.ring("feed")
            return results

        combiner: Combiner[StockCommand, Answer] = Combiner(
            run_batch, batch_max=settings.combine_batch_max, queue_max=settings.combine_queue_max
        )
        stack.push_async_callback(combiner.close)
        quota_client = open_quota_client(settings.redis_url)
        stack.push_async_callback(quota_client.aclose)
        channels = ChannelBook(http, settings, partial(open_quota, quota_client), Keeper(database, settings))
        places = Places()
        stack.push_async_callback(places.close)
        yield State(
            *(settings, database, doorbell, hub, authenticator, Lookup(database), combiner, http, channels),
            *(RoutingFacts(database), places, Policies(database)),
        )
