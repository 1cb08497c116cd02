"""The HTTP door: media types, statuses, methods, sizes, times, masks."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
import uvicorn
from graphql import get_introspection_query

import app.http_protocol
from app.settings import Settings
from app.state import State
from domain.identity import Role
from tests.company import make_secret, running_app
from tests.sockets import open_socket
from tests.within import within

MODERN = {"accept": "application/graphql-response+json"}
NAME = "{ __typename }"
CREATE = 'mutation { warehouseCreate(input: {code: "A", name: "A"}) { warehouse { id } userErrors { code } } }'


class Door:
    """The application, an HTTP client with an admin's token, and how to speak to it in pieces."""

    def __init__(self, app: Any, http: httpx.AsyncClient, secret: str, state: State) -> None:
        self.app = app
        self.http = http
        self.secret = secret
        self.state = state

    async def post(self, body: Any, **headers: str) -> httpx.Response:
        given = {"authorization": f"Bearer {self.secret}", "content-type": "application/json", **headers}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post("/graphql", content=content, headers=given)

    async def trickle(self, chunks: list[bytes], seconds: float) -> tuple[int, dict[str, Any]]:
        """POST chunk by chunk with a pause before each, and never an end."""
        sent: list[dict[str, Any]] = []
        waiting = list(chunks)

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(seconds if waiting else 60)
            return {"type": "http.request", "body": waiting.pop(0), "more_body": True}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {self.secret}".encode())]
        scope = {"type": "http", "method": "POST", "path": "/graphql", "query_string": b"", "headers": headers}
        await within(10, self.app(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"])


def code_of(answer: httpx.Response) -> str | None:
    errors = answer.json().get("errors")
    return errors[0]["extensions"]["code"] if errors else None


@pytest.fixture(scope="module")
async def door(module_settings: Settings) -> AsyncIterator[Door]:
    settings = module_settings.model_copy(update={"request_seconds_max": 0.5, "request_bytes_max": 20_000})
    async with running_app(settings) as (app, http):
        state = app._rest.state.onhand
        yield Door(app, http, await make_secret(state), state)


async def test_both_media_types(door: Door) -> None:
    plain, modern = await door.post({"query": NAME}), await door.post({"query": NAME}, **MODERN)
    assert plain.headers["content-type"] == "application/json; charset=utf-8"
    assert modern.headers["content-type"] == "application/graphql-response+json; charset=utf-8"
    assert plain.json() == modern.json() == {"data": {"__typename": "Query"}}
    assert plain.status_code == modern.status_code == 200


@pytest.mark.parametrize(
    ("body", "plain", "modern"),
    [
        (b"{", 400, 400),
        (b"\xff", 400, 400),
        ([{"query": NAME}], 400, 400),
        ("text", 400, 400),
        ({"qeury": NAME}, 400, 400),
        ({"query": 1}, 400, 400),
        ({"query": NAME, "variables": "x"}, 400, 400),
        ({"query": NAME, "operationName": 1}, 400, 400),
        ({"query": "{"}, 200, 400),
        ({"query": "{ nothing }"}, 200, 400),
        ({"query": NAME, "operationName": "Other"}, 200, 400),
        ({"query": "query A { __typename } query B { __typename }"}, 200, 400),
        ({"query": "query($f: Int!) { skus(first: $f) { nodes { id } } }", "variables": {"f": "x"}}, 200, 400),
        ({"query": "query($f: Int!) { skus(first: $f) { nodes { id } } }"}, 200, 400),
        ({"query": "{ a: __typename " + " ".join(f"b{n}: __typename" for n in range(40)) + "}"}, 200, 400),
        ({"query": '{ sku(code: "\\u0000") { id } }'}, 200, 400),
        ({"query": "query($c: String!) { sku(code: $c) { id } }", "variables": {"c": "a\x00"}}, 200, 400),
        ({"query": "query($c: String!) { sku(code: $c) { id } }", "variables": {"c": "\\u0000"}}, 200, 200),
        ({"query": "{ skus(first: 0) { nodes { id } } }"}, 200, 200),
        ({"query": "subscription { stockChanged { cursor } }"}, 200, 400),
    ],
)
async def test_statuses(door: Door, body: Any, plain: int, modern: int) -> None:
    """A request error has no `data`, an execution error does."""
    first, second = await door.post(body), await door.post(body, **MODERN)
    assert (first.status_code, second.status_code) == (plain, modern)
    assert first.json() == second.json()
    if modern == 400:
        assert "data" not in first.json()
        assert code_of(first) in ("BAD_USER_INPUT", "QUERY_TOO_COMPLEX")
    else:
        assert "data" in first.json()


async def test_methods_and_content_types(door: Door) -> None:
    headers = {"authorization": f"Bearer {door.secret}"}
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await door.http.request(method, "/graphql", headers=headers)
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    for kind in ("text/plain", "application/jsonp", "multipart/form-data", ""):
        assert (await door.post({"query": NAME}, **{"content-type": kind})).status_code == 415
    for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON"):
        assert (await door.post({"query": NAME}, **{"content-type": kind})).status_code == 200


async def test_get_is_for_queries(door: Door) -> None:
    async def get(**params: str) -> httpx.Response:
        return await door.http.get("/graphql", params=params, headers={"authorization": f"Bearer {door.secret}"})

    query = "query A($c: String!) { sku(code: $c) { id } } mutation B { __typename }"
    found = await get(query=query, operationName="A", variables='{"c": "ö"}')
    assert (found.status_code, found.json()) == (200, {"data": {"sku": None}})
    for params in ({"query": CREATE}, {"query": query, "operationName": "B"}):
        refused = await get(**params)
        assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert await door.state.database.hot.fetchval("SELECT count(*) FROM warehouses") == 0
    assert (await get(query=NAME, variables="{")).status_code == 400
    assert (await get()).status_code == 400
    assert code_of(await get(query=NAME + "#\x00")) == "BAD_USER_INPUT"


async def test_who_you_are_comes_first(door: Door) -> None:
    for given in ("", "Bearer", "Bearer ohd_wrong", "Basic abc", "Bearer " + "x" * 5_000, "Bearer a.b.c"):
        answer = await door.post({"query": "{ nothing }"}, authorization=given)
        assert (answer.status_code, code_of(answer)) == (401, "UNAUTHENTICATED")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_introspection_is_for_engineers_and_admins_and_can_be_switched_off(door: Door) -> None:
    query = get_introspection_query()
    for role in Role:
        secret = await make_secret(door.state, role)
        answer = await door.post({"query": query}, authorization=f"Bearer {secret}", **MODERN)
        allowed = role in (Role.ADMIN, Role.ENGINEER)
        assert (answer.status_code, code_of(answer)) == ((200, None) if allowed else (403, "FORBIDDEN"))
        named = await door.post({"query": "{ __typename a: __typename }"}, authorization=f"Bearer {secret}")
        assert code_of(named) is None
    closed = door.state.settings.model_copy(update={"introspection": False})
    async with running_app(closed) as (_, http):
        answer = await http.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {door.secret}"})
        assert code_of(answer) == "FORBIDDEN"


async def test_a_body_that_is_too_large_is_refused_however_it_comes(door: Door) -> None:
    body = {"query": NAME + " #" + "x" * 20_000}
    assert (await door.post(body)).status_code == 413
    assert (await door.trickle([b"x" * 15_000, b"x" * 15_000], 0.0))[0] == 413
    assert (await door.post({"query": NAME + " #" + "x" * 15_000})).status_code == 200


async def test_a_body_that_trickles_is_given_up(door: Door) -> None:
    """One byte every tenth of a second never ends; half a second is all it gets here."""
    status, answer = await door.trickle([b"{"] * 100, 0.1)
    assert (status, answer["errors"][0]["extensions"]["code"]) == (408, "BAD_USER_INPUT")
    assert (await door.trickle([], 0.1))[0] == 408


async def test_an_operation_that_takes_too_long_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    async def wait(*_: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr("api.stock.queries.read_sku", wait)
    answer = await door.post({"query": '{ sku(code: "a") { id } }'})
    assert (answer.status_code, code_of(answer)) == (503, "UNAVAILABLE")
    async with open_socket(door.app, door.secret) as socket:
        message = await socket.ask('{ sku(code: "a") { id } }')
        assert message["payload"][0]["extensions"]["code"] == "UNAVAILABLE"


async def test_a_bug_is_masked_and_found_in_the_log(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    processors = structlog.get_config()["processors"]
    monkeypatch.setattr("api.errors.log", structlog.wrap_logger(structlog.PrintLogger(written), processors))

    async def fail(*_: Any) -> Any:
        raise ZeroDivisionError("the secret cause")

    monkeypatch.setattr("api.stock.queries.read_sku", fail)
    query = {"query": 'query { sku(code: "a") { id } }'}
    answer = await door.post(query, **{"x-request-id": "my-request.1"})
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL", "correlationId": "my-request.1"}
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "my-request.1"
    (line,) = [json.loads(text) for text in written.getvalue().splitlines() if "my-request.1" in text]
    assert line["correlation_id"] == line["request_id"] == "my-request.1"
    assert "ZeroDivisionError: the secret cause" in line["exception"]
    for bad in ("with blank", "x" * 101):
        made = (await door.post(query, **{"x-request-id": bad})).json()["errors"][0]["extensions"]["correlationId"]
        assert made != bad
        assert len(made) == 32
    async with open_socket(door.app, door.secret) as socket:
        payload = (await socket.ask(query["query"]))["payload"]
        (masked,) = payload["errors"]
        assert "secret" not in str(payload)
        assert masked["extensions"]["correlationId"] in written.getvalue()


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "refused"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.QueryCanceledError("statement timeout"),
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.TooManyConnectionsError("full"),
        asyncpg.InterfaceError("connection is closed"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_outage_is_no_bug(door: Door, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def fail(*_: Any) -> Any:
        raise error

    monkeypatch.setattr("api.stock.queries.read_sku", fail)
    answer = await door.post({"query": '{ sku(code: "a") { id } }'})
    assert code_of(answer) == "UNAVAILABLE"
    assert str(error) not in answer.text
    monkeypatch.setattr(type(door.state.authenticator), "authenticate", fail)
    door.state.authenticator.forget()
    answer = await door.post({"query": NAME})
    assert (answer.status_code, code_of(answer)) == (503, "UNAVAILABLE")


async def test_a_token_that_runs_wild_is_slowed(door: Door) -> None:
    limited = door.state.settings.model_copy(update={"rate_per_second": 0.1, "rate_burst": 3})
    async with running_app(limited) as (app, http):

        async def ask(secret: str) -> httpx.Response:
            return await http.post("/graphql", json={"query": NAME}, headers={"authorization": f"Bearer {secret}"})

        assert [(await ask(door.secret)).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = await ask(door.secret)
        assert code_of(refused) == "RATE_LIMITED"
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        other = await make_secret(door.state, Role.VIEWER)
        assert (await ask(other)).status_code == 200
        async with open_socket(app, door.secret) as socket:
            assert (await socket.ask(NAME))["payload"][0]["extensions"]["code"] == "RATE_LIMITED"


async def test_a_connection_that_says_nothing_is_closed(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.http_protocol, "HEADER_SECONDS_MAX", 0.3)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(answer, port=0, http=app.http_protocol.PromptHttpProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        for start in (b"", b"GET / HTTP/1.1\r\nHost:"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(start)
            assert await within(5, reader.read()) == b""
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):  # kept alive, longer than the limit on headers
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await within(5, reader.readuntil(b"ok"))).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.4)
        writer.close()
    finally:
        server.should_exit = True
        await within(10, asyncio.wait([serving]))
