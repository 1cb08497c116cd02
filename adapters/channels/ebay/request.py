"""One HTTP request: paid for from the quota, signed with a token, sent once more when eBay says the token is stale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from adapters.channels.base import Quota
from adapters.channels.ebay.fetch_token import TokenSource
from adapters.channels.ebay.read_errors import TOKEN_REJECTED, read_errors
from domain.errors import CauseClass, Fault


@dataclass(frozen=True, slots=True)
class Reply:
    """`body` is the JSON, None when there was none. `location`: what was created."""

    status: int
    body: Any
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """`api` names the budget it is paid from. `application`: with the application's token, not the seller's."""

    method: str
    path: str
    api: str
    params: Mapping[str, str] | None = None
    body: Any = None
    application: bool = False
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Requester:
    http: httpx.AsyncClient
    base_url: str
    locale: str
    quota: Quota
    user: TokenSource
    application: TokenSource

    async def pay(self, api: str, *, urgent: bool) -> None:
        """Raises `Throttled` when the day's calls are used up."""
        await self.quota.take(api, urgent=urgent)

    async def send(self, request: Request, *, paid: bool = False) -> Reply:
        """The reply, whatever its status. `paid`: the caller has paid already. Raises `Fault`."""
        if not paid:
            await self.pay(request.api, urgent=request.urgent)
        tokens = self.application if request.application else self.user
        token = await tokens.get()
        reply = await self._send(request, token)
        if not _is_rejected(reply):
            return reply
        fresh = await tokens.get(rejected=token)
        await self.pay(request.api, urgent=request.urgent)
        return await self._send(request, fresh)

    async def _send(self, request: Request, token: str) -> Reply:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Accept-Language": self.locale}
        content = None
        if request.body is not None:
            content = orjson.dumps(request.body)
            headers |= {"Content-Type": "application/json", "Content-Language": self.locale}
        try:
            answer = await self.http.request(
                request.method,
                f"{self.base_url}{request.path}",
                params=request.params,
                content=content,
                headers=headers,
            )
        except httpx.HTTPError as error:
            # From None: the exception holds the request, and the request the token.
            message = f"eBay did not answer {request.method} {request.path} ({type(error).__name__})."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
        return Reply(answer.status_code, _read_body(answer), answer.headers.get("location"))


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def _is_rejected(reply: Reply) -> bool:
    """401 means the token; 403 does only with error 1001, else it is the permission."""
    if reply.status == 403:
        return any(error.error_id == TOKEN_REJECTED for error in read_errors(reply.body))
    return reply.status == 401


def _read_body(answer: httpx.Response) -> Any:
    if not answer.content:
        return None
    try:
        return orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        if answer.status_code < 400:
            message = "eBay answered something that is not JSON."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
        return None
