"""Events sent to a partner's endpoint: right, forged, old, twice, and in another order than they happened."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass, field
from uuid import uuid4

import httpx
import orjson

from adapters.webhooks.sign_webhook import make_secret, sign
from app.partners.check.day import HookAnswer

OLD_SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class HookTarget:
    url: str
    secret: str = field(repr=False)


async def play_hooks(http: httpx.AsyncClient, target: HookTarget) -> dict[str, HookAnswer]:
    """What the endpoint answered each with."""
    now = datetime.datetime.now(datetime.UTC)
    released, cancelled = _event("fulfillment_order.released", now), _event("fulfillment_order.cancel_requested", now)
    earlier = _event("fulfillment_order.released", now - datetime.timedelta(minutes=1))
    key, at = f"msg_{uuid4().hex}", int(time.time())
    return {
        "right": await _send(http, target, key, at, released),
        "twice": await _send(http, target, key, at, released),
        "forged": await _send(http, HookTarget(target.url, make_secret()), f"msg_{uuid4().hex}", at, released),
        "old": await _send(http, target, f"msg_{uuid4().hex}", at - OLD_SECONDS, released),
        "first": await _send(http, target, f"msg_{uuid4().hex}", at, cancelled),
        "earlier": await _send(http, target, f"msg_{uuid4().hex}", at, earlier),
    }


def _event(kind: str, at: datetime.datetime) -> bytes:
    data = {"fulfillmentOrder": str(uuid4()), "test": True}
    return orjson.dumps({"type": kind, "timestamp": at.isoformat(), "data": data})


async def _send(http: httpx.AsyncClient, target: HookTarget, key: str, at: int, body: bytes) -> HookAnswer:
    headers = {
        "content-type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": str(at),
        "webhook-signature": sign([target.secret], key, at, body),
    }
    try:
        return HookAnswer((await http.post(target.url, content=body, headers=headers)).status_code)
    except (httpx.HTTPError, httpx.InvalidURL):
        return HookAnswer(None)
