"""One API process: uvicorn on a socket it is given, or on the settings' host and port."""

from __future__ import annotations

import socket
import sys

import uvicorn

from api.frames import FramesProtocol
from api.outlet import STALL_SECONDS_MAX
from app.http_protocol import PromptHttpProtocol
from app.main import create_app
from app.settings import Settings, load_settings

WEBSOCKET_BYTES_MAX = 1_048_576


def configure_server(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=PromptHttpProtocol,
        ws=FramesProtocol,
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


def serve(settings: Settings, sockets: list[socket.socket] | None = None) -> None:
    """Serve until told to stop."""
    config = configure_server(settings)
    listening = sockets or [config.bind_socket()]
    for one in listening:
        _limit_stalls(one)
    uvicorn.Server(config).run(listening)


def _limit_stalls(listener: socket.socket) -> None:
    """Connections inherit it: the system cuts one whose peer takes nothing, which closing alone would wait for."""
    if hasattr(socket, "TCP_USER_TIMEOUT") and listener.family in (socket.AF_INET, socket.AF_INET6):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(1_000 * STALL_SECONDS_MAX))


if __name__ == "__main__":
    inherited = [socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))] if "--fd" in sys.argv else None
    serve(load_settings(), inherited)
