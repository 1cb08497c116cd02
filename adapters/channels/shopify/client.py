"""One call of Shopify's Admin GraphQL API 2026-07, with its failures sorted into transient and permanent.

Fault
├── Throttled     the points are used up
├── NotPermitted  the token has not the scope of this call
├── TooCostly     one call may not ask for so much: ask for less
└── Fault         transient or permanent, with its cause
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from adapters.channels.base import Quota, Throttled
from adapters.channels.refuse_call import NotPermitted
from adapters.channels.shopify.access_token import AccessToken
from domain.errors import CauseClass, Fault

API_VERSION = "2026-07"
BUCKET = "graphql"
WAIT_SECONDS_DEFAULT = 1.0
TRANSIENT_CODES = frozenset({None, "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"})
"""An error without a code is the vendor's own time-out; every other code blames the request."""


class TooCostly(Fault):
    """The call asked for more than a single one may: nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False, cause=CauseClass.VALIDATION)


@dataclass(frozen=True, slots=True)
class ShopifyClient:
    http: httpx.AsyncClient
    quota: Quota
    base_url: str
    token: AccessToken

    async def call(self, query: str, variables: dict[str, Any], *, cost: float, urgent: bool = False) -> dict[str, Any]:
        """The answer's `data`. `cost`: points it will take at most. Raises `Fault`; `Throttled` when it must wait."""
        token = await self.token.read()
        await self.quota.take(BUCKET, cost, urgent=urgent)
        response = await self._post(query, variables, token)
        if response.status_code == httpx.codes.UNAUTHORIZED:  # nothing was done: once more with another token
            response = await self._post(query, variables, await self.token.renew(token))
        _check_status(response)
        body = _read_body(response)
        await self._announce((body.get("extensions") or {}).get("cost") or {})
        return _read_data(body)

    async def _post(self, query: str, variables: dict[str, Any], token: str) -> httpx.Response:
        try:
            return await self.http.post(
                f"{self.base_url.rstrip('/')}/admin/api/{API_VERSION}/graphql.json",
                json={"query": query, "variables": variables},
                headers={"X-Shopify-Access-Token": token},
            )
        except httpx.HTTPError as error:
            message = f"Shopify did not answer ({type(error).__name__})."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from error

    async def _announce(self, cost: dict[str, Any]) -> None:
        status = cost.get("throttleStatus") or {}
        if status.get("restoreRate"):
            await self.quota.announce(
                BUCKET,
                rate=float(status["restoreRate"]),
                burst=float(status["maximumAvailable"]),
                available=float(status["currentlyAvailable"]),
            )


def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled("Shopify answered 429.", _retry_after(response))
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        raise Fault(f"Shopify answered {status}.", transient=True, cause=CauseClass.OUTAGE)
    if status != httpx.codes.OK:
        message = f"Shopify answered {status}: check the access token and the address."
        raise Fault(message, transient=False, cause=CauseClass.AUTH)


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.0, float(response.headers.get("retry-after", WAIT_SECONDS_DEFAULT)))
    except ValueError:
        return WAIT_SECONDS_DEFAULT


def _read_body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError as error:
        message = "Shopify answered something that is not JSON."
        raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from error
    return body if isinstance(body, dict) else {}


def _read_data(body: dict[str, Any]) -> dict[str, Any]:
    errors = body.get("errors")
    if errors:
        raise _fault_of(errors, body.get("extensions") or {})
    data: dict[str, Any] = body.get("data") or {}
    return data


def _fault_of(errors: Any, extensions: dict[str, Any]) -> Fault:
    known = isinstance(errors, list) and isinstance(errors[0], dict)
    first: dict[str, Any] = errors[0] if known else {"message": str(errors)}
    code = (first.get("extensions") or {}).get("code")
    message = f"Shopify: {code or 'error'}: {first.get('message')}"
    if code == "THROTTLED":
        return Throttled("Shopify is throttling.", _wait_seconds(extensions.get("cost") or {}))
    if code == "ACCESS_DENIED":
        return NotPermitted(message)
    if code == "MAX_COST_EXCEEDED":
        return TooCostly(message)
    if code in TRANSIENT_CODES:
        return Fault(message, transient=True, cause=CauseClass.OUTAGE)
    cause = CauseClass.AUTH if code == "SHOP_INACTIVE" else CauseClass.VALIDATION
    return Fault(message, transient=False, cause=cause)


def _wait_seconds(cost: dict[str, Any]) -> float:
    """Until the bucket holds what the call costs."""
    status = cost.get("throttleStatus") or {}
    rate = float(status.get("restoreRate") or 0)
    if rate <= 0:
        return WAIT_SECONDS_DEFAULT
    missing = float(cost.get("requestedQueryCost") or rate) - float(status.get("currentlyAvailable") or 0)
    return max(0.05, missing / rate)
