"""`/webhooks/{kind}/{channel}`: answered as soon as the event is on disk."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from app.channels.receive_event import Receipt, answer_challenge, receive_event

BODY_BYTES_MAX = 4_194_304
BODY_SECONDS_MAX = 15.0
_STATUS = {Receipt.STORED: 200, Receipt.DUPLICATE: 200, Receipt.LATER: 503}
FORGED_STATUS = {"ebay": 412}
"""What a vendor wants to hear about a wrong signature, where that is not 401."""


async def channel_webhook(request: Request) -> Response:
    """Take in an event; a GET is a vendor's challenge of the endpoint."""
    kind, channel = request.path_params["kind"], request.path_params["channel"]
    state = request.app.state.onhand
    if request.method == "GET":
        proof = await answer_challenge(state, kind, channel, request.query_params.get("challenge_code", ""))
        return Response(status_code=404) if proof is None else Response(proof, media_type="application/json")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    return Response(status_code=413)
    except TimeoutError:
        return Response(status_code=408, headers={"connection": "close"})
    receipt = await receive_event(state, kind, channel, dict(request.headers), bytes(body))
    if receipt is Receipt.FORGED:
        return Response(status_code=FORGED_STATUS.get(kind, 401))
    return Response(status_code=_STATUS[receipt])
