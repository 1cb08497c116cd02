"""Whether a stream may go on: its token is checked again while it lives."""

from __future__ import annotations

import structlog

from app.identity.authenticate import Authenticator
from domain.identity import Principal

log = structlog.get_logger()


async def still_holds(authenticator: Authenticator, authorization: str, before: Principal) -> bool:
    """Whether a token shows what it did when the stream began: no less, and no more.

    True as well when that cannot be found out: without the database no change comes either, and the next look is
    soon.
    """
    try:
        now = await authenticator.authenticate(authorization)
    except Exception as error:
        log.warning("a token cannot be checked", error=repr(error))
        return True
    return now is not None and (now.roles, now.scopes, now.warehouse_ids, now.channel_ids) == (
        before.roles,
        before.scopes,
        before.warehouse_ids,
        before.channel_ids,
    )
