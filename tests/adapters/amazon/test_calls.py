"""Tokens refreshed once, failures sorted by who can help, secrets nowhere."""

from __future__ import annotations

import asyncio
import traceback
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from adapters.channels.amazon.channel import build_channel
from adapters.channels.amazon.refresh_token import TokenSource
from adapters.channels.amazon.sign_request import AwsCredentials
from adapters.channels.base import ListingRef, Throttled
from adapters.channels.refuse_call import NotPermitted
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import CONNECTION, Ledger, Setup, answering, open_setup
from tests.adapters.sandbox_amazon.serving import CLIENT_SECRET, REFRESH_TOKEN

SECRETS = (CLIENT_SECRET, REFRESH_TOKEN, "Atza|token-hush", "aws-hush")
ENDED = "The access token you provided has expired."
UNAUTHORIZED = {"errors": [{"code": "Unauthorized", "message": "Access denied", "details": ENDED}]}
FOUND = {"numberOfResults": 0, "items": []}


@dataclass
class TokenService:
    """Gives numbered tokens of 3600 s, slowly; `answers` go first."""

    answers: list[httpx.Response | Exception] = field(default_factory=list)
    given: int = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0.01)
        if self.answers:
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer
        self.given += 1
        return httpx.Response(200, json={"access_token": f"token-{self.given}", "expires_in": 3600})


@dataclass
class Clock:
    seconds: float = 1_000.0

    def __call__(self) -> float:
        return self.seconds


def source(service: TokenService, clock: Clock) -> TokenSource:
    return TokenSource(httpx.AsyncClient(transport=httpx.MockTransport(service)), CONNECTION, clock)


async def test_many_askers_share_one_refresh() -> None:
    service = TokenService()
    tokens = source(service, Clock())
    assert set(await asyncio.gather(*(tokens.read() for _ in range(20)))) == {"token-1"}
    assert set(await asyncio.gather(*(tokens.read(stale="token-1") for _ in range(20)))) == {"token-2"}
    assert service.given == 2


async def test_refreshed_shortly_before_it_expires() -> None:
    service, clock = TokenService(), Clock()
    tokens = source(service, clock)
    assert await tokens.read() == "token-1"
    clock.seconds += 3_500
    assert await tokens.read() == "token-1"
    clock.seconds += 50
    assert await tokens.read() == "token-2"


async def test_asker_that_gives_up_does_not_stop_the_others() -> None:
    service = TokenService()
    tokens = source(service, Clock())
    first, second = asyncio.create_task(tokens.read()), asyncio.create_task(tokens.read())
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "token-1"


@pytest.mark.parametrize(
    ("answer", "transient", "cause"),
    [
        (httpx.Response(400, json={"error": "invalid_grant"}), False, CauseClass.AUTH),
        (httpx.Response(401, json={"error": "invalid_client"}), False, CauseClass.AUTH),
        (httpx.Response(400, json={"error": REFRESH_TOKEN}), False, CauseClass.AUTH),
        (httpx.Response(503), True, CauseClass.OUTAGE),
        (httpx.Response(429), True, CauseClass.OUTAGE),
        (httpx.Response(200, text="<html>"), True, CauseClass.OUTAGE),
        (httpx.ConnectTimeout("slow"), True, CauseClass.OUTAGE),
    ],
)
async def test_refusals_of_the_token_service(answer: Any, transient: bool, cause: CauseClass) -> None:
    tokens = source(TokenService([answer]), Clock())
    with pytest.raises(Fault) as caught:
        await tokens.read()
    assert (caught.value.transient, caught.value.cause) == (transient, cause)
    assert not leaks(caught.value)
    assert await tokens.read() == "token-1"


def leaks(error: BaseException) -> list[str]:
    """The secrets that the traceback shows, causes and locals' reprs included."""
    told = traceback.TracebackException.from_exception(error, capture_locals=False)
    text = "".join(told.format()) + repr(error.__cause__)
    return [secret for secret in SECRETS if secret in text]


@pytest.mark.parametrize(
    ("status", "code", "transient", "cause"),
    [
        (400, "InvalidInput", False, CauseClass.VALIDATION),
        (401, "Unauthorized", False, CauseClass.AUTH),
        (403, "AccessDenied", False, CauseClass.AUTH),
        (404, "NotFound", False, CauseClass.MAPPING),
        (408, "RequestTimeout", True, CauseClass.OUTAGE),
        (413, "RequestTooLarge", False, CauseClass.VALIDATION),
        (415, "UnsupportedMediaType", False, CauseClass.VALIDATION),
        (429, "QuotaExceeded", True, CauseClass.QUOTA),
        (500, "InternalFailure", True, CauseClass.OUTAGE),
        (503, "ServiceUnavailable", True, CauseClass.OUTAGE),
    ],
)
async def test_statuses(status: int, code: str, transient: bool, cause: CauseClass) -> None:
    body = {"errors": [{"code": code, "message": "no", "details": ""}]}
    channel = answering(httpx.Response(status, json=body))
    with pytest.raises(Fault) as caught:
        await channel.api.call("getOrder", "GET", "/orders/2026-01-01/orders/1")
    assert (caught.value.transient, caught.value.cause) == (transient, cause)
    assert isinstance(caught.value, NotPermitted) is (status == 403)
    assert code in str(caught.value)
    assert not leaks(caught.value)


async def test_wait_after_429_follows_from_the_rate() -> None:
    refusal = httpx.Response(429, json={"errors": [{"code": "QuotaExceeded", "message": "no"}]})
    quota = Ledger()
    channel = answering(
        httpx.Response(200, json=FOUND, headers={"x-amzn-RateLimit-Limit": "0.25"}), refusal, refusal, quota=quota
    )
    await channel.api.call("getOrder", "GET", "/x")
    with pytest.raises(Throttled) as caught:
        await channel.api.call("getOrder", "GET", "/x")
    assert caught.value.wait_seconds == 4
    assert quota.announced == [("getOrder", 0.25, None), ("getOrder", None, 0.0)]
    with pytest.raises(Throttled) as unknown:
        await channel.api.call("searchOrders", "GET", "/x")
    assert unknown.value.wait_seconds == pytest.approx(1 / 0.0056)


@pytest.mark.parametrize("rate", ["", "fast", "-1", "nan", "inf", "0"])
async def test_a_rate_that_is_none_is_not_believed(rate: str) -> None:
    channel = answering(httpx.Response(200, json=FOUND, headers={"x-amzn-RateLimit-Limit": rate}))
    await channel.api.call("getOrder", "GET", "/x")
    assert channel.api.rate_of("getOrder") == 0.5


async def test_unreadable_answers() -> None:
    channel = answering(httpx.Response(200, text="<html>"), httpx.Response(502, text="<html>"), httpx.Response(204))
    for _ in range(2):
        with pytest.raises(Fault) as caught:
            await channel.api.call("getOrder", "GET", "/x")
        assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    assert await channel.api.call("getOrder", "GET", "/x") == {}


async def test_expired_token_is_refreshed_and_the_call_repeated_once() -> None:
    quota = Ledger()
    channel = answering(httpx.Response(403, json=UNAUTHORIZED), httpx.Response(200, json=FOUND), quota=quota)
    assert await channel.api.call("searchOrders", "GET", "/x") == FOUND
    assert quota.count("searchOrders") == 2
    channel = answering(*[httpx.Response(403, json=UNAUTHORIZED)] * 2, quota=quota)
    with pytest.raises(Fault) as caught:
        await channel.api.call("searchOrders", "GET", "/x")
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)
    assert not isinstance(caught.value, NotPermitted), "a token that ended again says nothing of roles"
    denied = {"errors": [{"code": "Unauthorized", "message": "Access denied", "details": ""}]}
    channel = answering(*[httpx.Response(403, json=denied)] * 2, quota=quota)
    with pytest.raises(NotPermitted):
        await channel.api.call("searchOrders", "GET", "/x")


async def test_no_answer_is_an_outage_and_tells_no_secret() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "lwa":
            return httpx.Response(200, json={"access_token": "Atza|token-hush", "expires_in": 3600})
        raise httpx.ReadTimeout("slow", request=request)

    channel = build_channel(httpx.AsyncClient(transport=httpx.MockTransport(answer)), CONNECTION, Ledger())
    with pytest.raises(Fault) as caught:
        await channel.observe([ListingRef("A")])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    assert not leaks(caught.value)
    assert [secret for secret in SECRETS if secret in repr(channel) + repr(AwsCredentials("A", "aws-hush"))] == []


async def test_sandbox_tokens_live_as_long_as_configured() -> None:
    async with open_setup(token_seconds=0.2) as setup:
        for _ in range(3):
            await setup.channel.observe([ListingRef("TEA-1")])
            await asyncio.sleep(0.25)
        assert len(setup.market.market.tokens) == 3


async def test_token_service_down_then_up(setup: Setup) -> None:
    await setup.market.break_it("token_service_down")
    with pytest.raises(Fault) as caught:
        await setup.channel.observe([ListingRef("TEA-1")])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    [seen] = await setup.channel.observe([ListingRef("TEA-1")])
    assert seen.quantity == 10


async def test_wrong_secret_is_an_auth_fault() -> None:
    async with open_setup(replace(CONNECTION, client_secret="wrong")) as setup:
        with pytest.raises(Fault) as caught:
            await setup.channel.observe([ListingRef("TEA-1")])
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)


async def test_slow_vendor(setup: Setup) -> None:
    await setup.market.set_faults(latency={"rate": 1, "times": 1, "seconds": 0.2})
    [seen] = await setup.channel.observe([ListingRef("TEA-1")])
    assert seen.quantity == 10
