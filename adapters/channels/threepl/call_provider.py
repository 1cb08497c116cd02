"""One call of a fulfilment provider that speaks ShipEngine Connect: credentials go in the body, failures are sorted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from adapters.channels.base import Throttled
from domain.errors import CauseClass, Fault

ANSWER_BYTES_MAX = 10_000_000
WAIT_SECONDS = 30.0
WAIT_SECONDS_MAX = 3_600.0
MESSAGE_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class ConnectSettings:
    """`provider`: the code under which the provider is known at Connect. `credentials`: of `Auth`, as the partner asks.

    `snapshot_age_seconds`: how old its numbers may be when it answers with them; the contract does not say.
    """

    base_url: str
    provider: str
    credentials: dict[str, str] = field(repr=False)
    snapshot_age_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ProviderCaller:
    http: httpx.AsyncClient
    settings: ConnectSettings

    async def call(self, method: str, transaction: str, **body: Any) -> dict[str, Any]:
        """The answer's object. Raises `Fault`; what is None in `body` is left out.

        `transaction`: a UUID, the same on every try of the same call.
        """
        auth = {"fulfillment_provider_api_code": self.settings.provider, **self.settings.credentials}
        given = {name: value for name, value in body.items() if value is not None}
        content = orjson.dumps({"transaction_id": transaction, "auth": auth, **given})
        try:
            answer = await self.http.post(
                f"{self.settings.base_url}/{method}",
                content=content,
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                follow_redirects=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # From None: the exception holds the request, and the request the credentials.
            message = f"The partner did not answer {method} ({type(error).__name__})."
            raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
        if not answer.is_success:
            raise _fault_of(method, answer)
        return _read_object(method, answer)


def _read_object(method: str, answer: httpx.Response) -> dict[str, Any]:
    if len(answer.content) > ANSWER_BYTES_MAX:
        raise broken(f"The partner's answer to {method} is too large.")
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        raise broken(f"The partner's answer to {method} is not JSON.") from None
    if not isinstance(found, dict):
        raise broken(f"The partner's answer to {method} is not an object.")
    return found


def _fault_of(method: str, answer: httpx.Response) -> Fault:
    status, text = answer.status_code, _read_message(answer)
    message = f"The partner answered {method} with {status}{text}."
    if status == 429:
        return Throttled(message, _read_wait(answer))
    if status in (401, 403):
        return Fault(message, transient=False, cause=CauseClass.AUTH)
    if status in (404, 410):
        return Fault(message, transient=False, cause=CauseClass.MAPPING)
    if status in (408, 425) or status >= 500 or status < 400:
        return Fault(message, transient=True, cause=CauseClass.OUTAGE)
    return Fault(message, transient=False, cause=CauseClass.VALIDATION)


def _read_message(answer: httpx.Response) -> str:
    """What the partner says of it, within bounds; nothing when it says nothing that can be read."""
    try:
        found = orjson.loads(answer.content[:10_000])
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(found, dict):
        return ""
    said = [str(found[name]) for name in ("code", "message") if isinstance(found.get(name), str)]
    return f" ({': '.join(said)[:MESSAGE_LENGTH_MAX]})" if said else ""


def _read_wait(answer: httpx.Response) -> float:
    try:
        return min(WAIT_SECONDS_MAX, max(0.0, float(answer.headers.get("retry-after", WAIT_SECONDS))))
    except ValueError:
        return WAIT_SECONDS


def broken(message: str) -> Fault:
    """For an answer that breaks the contract: asking again may help, when it was cut short."""
    return Fault(message, transient=True, cause=CauseClass.VALIDATION)
