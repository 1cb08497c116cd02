"""One API process: uvicorn on a socket it is given, or on the settings' host and port."""

from __future__ import annotations

import socket
import sys

import uvicorn

from app.http_protocol import PromptHttpProtocol
from app.main import create_app
from app.settings import Settings, load_settings

WEBSOCKET_BYTES_MAX = 1_048_576


def serve(settings: Settings, sockets: list[socket.socket] | None = None) -> None:
    """Serve until told to stop."""
    config = uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=PromptHttpProtocol,
        ws="websockets-sansio",
        ws_max_size=WEBSOCKET_BYTES_MAX,
        ws_per_message_deflate=False,
        access_log=False,
        log_config=None,
        lifespan="on",
        server_header=False,
        proxy_headers=False,
        date_header=False,
        timeout_graceful_shutdown=3,
    )
    uvicorn.Server(config).run(sockets)


if __name__ == "__main__":
    inherited = [socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))] if "--fd" in sys.argv else None
    serve(load_settings(), inherited)
