"""`POST /webhooks/shopify/{channel}`: answered as soon as the event is on disk."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from app.channels.receive_event import Receipt, receive_event

BODY_BYTES_MAX = 4_194_304
_STATUS = {Receipt.STORED: 200, Receipt.DUPLICATE: 200, Receipt.FORGED: 401, Receipt.INCOMPLETE: 400}


async def shopify_webhook(request: Request) -> Response:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            return Response(status_code=413)
    receipt = await receive_event(
        request.app.state.onhand, request.path_params["channel"], dict(request.headers), bytes(body)
    )
    return Response(status_code=_STATUS[receipt])
