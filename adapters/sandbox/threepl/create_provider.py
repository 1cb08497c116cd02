"""The partner as an ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Route

from adapters.sandbox.threepl.config import ProviderConfig
from adapters.sandbox.threepl.serve_api import METHODS, Api
from adapters.sandbox.threepl.serve_doors import Doors
from adapters.sandbox.threepl.state import open_state


def create_provider(config: ProviderConfig) -> Starlette:
    """What it knows is `app.state.provider`."""
    state = open_state(config)
    api, doors = Api(state), Doors(state)
    routes = [Route(f"/{name}", api.endpoint(name), methods=["POST"]) for name in METHODS]
    routes += [
        Route("/healthz", doors.show_health),
        Route("/sandbox", doors.show_state),
        Route("/faults", doors.set_faults, methods=["POST"]),
        Route("/advance", doors.advance, methods=["POST"]),
        Route("/stock", doors.stock, methods=["POST"]),
        Route("/hooks", doors.hear, methods=["POST"]),
    ]
    app = Starlette(routes=routes)
    app.state.provider = state
    return app
