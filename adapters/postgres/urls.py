"""One database URL, in the forms that asyncpg and SQLAlchemy want it."""

from __future__ import annotations

from sqlalchemy import URL, make_url


def sqlalchemy_url(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+asyncpg")


def asyncpg_url(url: str) -> str:
    """asyncpg reads libpq's form: `postgresql://user:password@/db?host=/socket/dir` included."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
