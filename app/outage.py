"""Whether an error is the database or the network being away for a moment, which trying again can mend."""

from __future__ import annotations

import asyncpg
from sqlalchemy.exc import DBAPIError

from domain.errors import Fault

_AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting up, statement cancelled
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)


def is_outage(error: BaseException) -> bool:
    """True for transient faults, lost or refused connections, and statements that the server gave up."""
    if isinstance(error, Fault):
        return error.transient
    if isinstance(error, DBAPIError):
        cause = getattr(error.orig, "__cause__", None)
        return error.connection_invalidated or (cause is not None and is_outage(cause))
    if isinstance(error, asyncpg.DataError):  # a value that does not fit its column: a bug of ours
        return False
    return isinstance(error, (*_AWAY, asyncpg.InterfaceError))
