"""One effect per idempotency key: the first answer is kept beside the change, and given again to whoever repeats it.

A refusal is an answer too. What is kept is plain JSON, so that another process can give it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from adapters.postgres.database import Database, WriteSession
from adapters.postgres.idempotency import IdempotentCall, read_answers, write_answers
from app.transact import rerun, transact
from domain.errors import Refusal, RefusalCode

Answer = dict[str, Any]
"""What a command answers: plain JSON."""


class Repeated(Answer):
    """An answer that was given before under the same key; nothing was done this time."""


async def run_once(
    database: Database, call: IdempotentCall | None, decide: Callable[[Any], Awaitable[Answer]]
) -> Answer:
    """Run `decide` on a connection in one transaction, once per key. Raises the `Refusal` it raised, then or now."""

    async def once() -> Answer | Refusal:
        async with database.hot.acquire() as connection, connection.transaction():
            return await _decide_once(connection, call, lambda: decide(connection))

    return _given(await rerun(once))


async def transact_once(
    database: Database,
    call: IdempotentCall | None,
    decide: Callable[[WriteSession], Awaitable[Answer]],
    *,
    unkept: str | None = None,
) -> Answer:
    """The same for use cases that speak SQLAlchemy.

    `unkept`: the name of what only the first answer holds, since it must not be stored: a repeat lacks it.
    """

    async def work(session: WriteSession) -> Answer | Refusal:
        return await _decide_once(session.raw, call, lambda: decide(session), unkept)

    return _given(await transact(database, work))


async def refuse_once(database: Database, call: IdempotentCall | None, refusal: Refusal) -> Answer:
    """For a refusal that came before any transaction: the answer kept under the key if there is one, else keep this.

    So a retry gets its first answer even when the world has changed meanwhile, say by closing the warehouse.
    """
    if call is None:
        raise refusal
    if not call.keeps_refusals:
        kept = (await read_answers(database.hot, [call])).get(call)
        if kept is None:
            raise refusal
        return _given(revive_answer(kept))

    async def decide(_: Any) -> Answer:
        raise refusal

    return await run_once(database, call, decide)


async def _decide_once(
    connection: Any,
    call: IdempotentCall | None,
    decide: Callable[[], Awaitable[Answer]],
    unkept: str | None = None,
) -> Answer | Refusal:
    if call is not None and (kept := await read_answers(connection, [call])):
        return revive_answer(kept[call])
    try:
        async with connection.transaction():  # a savepoint: what is refused leaves nothing but its answer
            answer: Answer | Refusal = await decide()
    except Refusal as refusal:
        answer = refusal
    if call is not None and (call.keeps_refusals or not isinstance(answer, Refusal)):
        kept_answer = {name: value for name, value in keep_answer(answer).items() if name != unkept}
        await write_answers(connection, [(call, kept_answer)])
    return answer


def _given(answer: Answer | Refusal) -> Answer:
    if isinstance(answer, Refusal):
        raise answer
    return answer


def keep_answer(result: Answer | Refusal) -> Answer:
    """The form in which an answer is kept."""
    if isinstance(result, Refusal):
        return {"refusal": {"code": result.code, "message": result.message, "path": result.path}}
    return result


def revive_answer(kept: Any) -> Answer | Refusal:
    """The answer or refusal that `keep_answer` kept."""
    if isinstance(kept, Refusal):
        return kept
    refusal = kept.get("refusal")
    if refusal is None:
        return Repeated(kept)
    return Refusal(RefusalCode(refusal["code"]), refusal["message"], tuple(refusal["path"]))
