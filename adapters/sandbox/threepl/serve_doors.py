"""The doors beside the contract: what tests and the demo set up, break and read, and the end of our webhooks."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from adapters.sandbox.faults import FaultError
from adapters.sandbox.respond import JsonResponse
from adapters.sandbox.threepl.config import Defect
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.respond import Refused
from adapters.sandbox.threepl.state import State
from adapters.sandbox.threepl.work_off import work_off
from adapters.webhooks.verify_webhook import verify_webhook

HOOK_BYTES_MAX = 1_000_000
SECONDS_MAX = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Doors:
    state: State

    async def show_health(self, _: Request) -> Response:
        return PlainTextResponse("ok")

    async def show_state(self, request: Request) -> Response:
        work_off(self.state)
        state = self.state
        return JsonResponse({
            "name": state.config.name,
            "on_hand": state.on_hand,
            "orders": [
                {
                    "id": order.order_id, "status": order.status, "external_id": order.external_id,
                    "cancel_asked": order.cancel_asked, "parcels": len(order.shipments),
                    "items": [{"sku": i.sku, "quantity": i.quantity, "shipped": i.shipped} for i in order.items],
                }
                for order in state.orders.values()
            ],
            "hooks": list(state.hooks), "calls": state.calls, "faults": state.faults.render(),
        })  # fmt: skip

    async def set_faults(self, request: Request) -> Response:
        """Exactly the faults in the body; {} switches all off."""
        return await self._change(request, self.state.faults.replace)

    async def advance(self, request: Request) -> Response:
        """{"seconds": 3600}: the partner's clock is so much further, and its people did what was due."""
        return await self._change(request, self._advance)

    async def stock(self, request: Request) -> Response:
        """{"sku": units}: on hand from now on; a SKU it did not know it knows now."""
        return await self._change(request, self._stock)

    async def hear(self, request: Request) -> Response:
        """A webhook of Onhand's: signed, of these minutes, and done once however often it comes."""
        body, state = await request.body(), self.state
        if state.faults.strike(FaultKind.DOWN):
            return Refused(503, "unavailable", "closed").render()
        secret, known = state.config.webhook_secret, {hook["id"] for hook in state.hooks}
        headers = {name.lower(): value for name, value in request.headers.items()}
        message_id = _verify(state, [secret] if secret else [], headers, body)
        if message_id is None or len(body) > HOOK_BYTES_MAX:
            return Refused(401, "forged", "The signature is not right.").render()
        event = _read_event(body)
        if event is None:
            return Refused(400, "invalid", "The body is not an event.").render()
        if message_id in known:
            taken = not state.has(Defect.HOOK_REFUSES_DUPLICATES)
            return JsonResponse({"known": True}, 200 if taken else 409)
        before = [hook["timestamp"] for hook in state.hooks]
        if state.has(Defect.HOOK_REFUSES_REORDERED) and before and event["timestamp"] < max(before):
            return Refused(409, "late", "That is older than what came before.").render()
        state.hooks.append(
            {"id": message_id, "type": event["type"], "timestamp": event["timestamp"], "data": event["data"]}
        )
        return JsonResponse({"known": False})

    def _advance(self, raw: Any) -> None:
        seconds = raw.get("seconds") if isinstance(raw, dict) else None
        if not isinstance(seconds, int | float) or not 0 <= seconds <= SECONDS_MAX:
            raise FaultError(f"seconds is from 0 to {SECONDS_MAX}")
        self.state.offset += float(seconds)

    def _stock(self, raw: Any) -> None:
        if not isinstance(raw, dict) or not all(isinstance(n, int) and n >= 0 for n in raw.values()):
            raise FaultError("send an object of units by SKU")
        self.state.on_hand.update(raw)

    async def _change(self, request: Request, change: Any) -> Response:
        given = request.headers.get("authorization", "").partition(" ")[2]
        if not hmac.compare_digest(given.encode(), self.state.config.token.encode()):
            return Refused(401, "credentials_invalid", "Send the sandbox's token as a bearer token.").render()
        try:
            change(orjson.loads(await request.body()))
        except (FaultError, orjson.JSONDecodeError) as error:
            return Refused(400, "invalid", str(error)).render()
        return await self.show_state(request)


def _verify(state: State, secrets: list[str], headers: dict[str, str], body: bytes) -> str | None:
    if state.has(Defect.HOOK_TAKES_FORGED):
        return headers.get("webhook-id")
    now = state.config.clock()
    if state.has(Defect.HOOK_TAKES_OLD) and headers.get("webhook-timestamp", "").isdecimal():
        now = float(headers["webhook-timestamp"])
    return verify_webhook(secrets, headers, body, now)


def _read_event(body: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) and {"type", "timestamp", "data"} <= event.keys() else None
