"""What the `onhand` command says when something cannot be: one sentence, no traceback."""

from __future__ import annotations

import socket

from app.initialize_postgres import EmbeddedError
from app.settings import SettingError
from domain.errors import Fault, Refusal
from domain.online_retail import BadRow

PLAIN = (SettingError, EmbeddedError, Refusal, Fault, BadRow)
"""Their messages are sentences already."""


def explain_error(error: Exception) -> str | None:
    """A sentence for people; None for a bug, which deserves its traceback."""
    if isinstance(error, PLAIN):
        return str(error)
    if isinstance(error, OSError):
        return _explain_system(error)
    return _explain_database(error)


def _explain_system(error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{error.filename} cannot be used: {reason}."
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return f"PostgreSQL does not answer ({reason}): is it running, and is ONHAND_DATABASE_URL right?"
    return f"{reason}."


def _explain_database(error: Exception) -> str | None:
    """Imported here: most commands end well, and `--help` should not wait for a database driver."""
    import asyncpg
    from sqlalchemy.exc import DBAPIError

    cause: BaseException = error
    if isinstance(error, DBAPIError) and error.orig is not None:
        cause = error.orig.__cause__ or error.orig
    if isinstance(cause, asyncpg.UndefinedTableError | asyncpg.UndefinedColumnError):
        return "The database is not at Onhand's newest revision: run `onhand migrate`."
    if isinstance(cause, asyncpg.PostgresError | DBAPIError):
        return f"PostgreSQL refused: {str(cause).splitlines()[0]}."
    if isinstance(cause, asyncpg.InterfaceError):
        return f"PostgreSQL cannot be reached as ONHAND_DATABASE_URL says: {cause}."
    return None
