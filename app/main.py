"""The API process: `create_app(settings)` and the routes around `/graphql`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hmac
from collections.abc import AsyncIterator
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from strawberry.http.ides import get_graphql_ide_html

from api.documents import Documents
from api.http import Api, GraphQLEndpoint
from api.schema import core
from api.sources import open_sources
from api.streams import Streams
from api.websocket import WebSocketEndpoint
from app.logs import configure_logs
from app.metrics import serving_metrics
from app.readiness import find_unready
from app.settings import Settings
from app.state import open_state
from app.tracing import traced
from app.webhooks import channel_webhook

PAGE_URL, API_URL = 'window.location.href.split("?")[0]', 'new URL("/graphql", window.location.href).href'


class Application:
    """ASGI: `/graphql` goes straight to its endpoints, the rest through Starlette."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._http: Any = None
        self._websocket: Any = None
        self._rest = Starlette(
            routes=[
                Route("/healthz", _healthz),
                Route("/readyz", _readyz),
                Route("/metrics", _metrics),
                Route("/graphiql", _graphiql),
                Route("/webhooks/{kind}/{channel}", channel_webhook, methods=["GET", "POST"]),
            ],
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket" and scope["path"] == "/graphql":
            await self._websocket(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        configure_logs(self._settings)
        with serving_metrics(self._settings), traced(self._settings, "onhand-api"):
            async with self._serving(app):
                yield

    @contextlib.asynccontextmanager
    async def _serving(self, app: Starlette) -> AsyncIterator[None]:
        async with open_state(self._settings, "onhand api") as state:
            app.state.onhand = state
            streams = Streams(core, state.hub, open_sources(state))
            api = Api(state, Documents(core, self._settings), streams)
            self._http = GraphQLEndpoint(api)
            self._websocket = WebSocketEndpoint(api)
            watch = asyncio.create_task(self._websocket.watch_permissions(), name="permissions")
            gc.collect()
            gc.freeze()
            yield
            watch.cancel()


def create_app(settings: Settings) -> Application:
    return Application(settings)


async def _healthz(_: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def _readyz(request: Request) -> Response:
    unready = await find_unready(request.app.state.onhand)
    return JSONResponse({"ready": not unready, "waits_for": unready}, status_code=503 if unready else 200)


async def _metrics(request: Request) -> Response:
    token = request.app.state.onhand.settings.metrics_token
    given = request.headers.get("authorization", "")
    if token is not None and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        message = "Send ONHAND_METRICS_TOKEN as a bearer token."
        return JSONResponse({"error": message}, status_code=401, headers={"www-authenticate": "Bearer"})
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


async def _graphiql(request: Request) -> Response:
    if not request.app.state.onhand.settings.graphiql:
        return JSONResponse({"error": "GraphiQL is switched off."}, status_code=404)
    page = get_graphql_ide_html(graphql_ide="graphiql")
    return HTMLResponse(page.replace(PAGE_URL, API_URL))
