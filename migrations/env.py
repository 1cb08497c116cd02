"""Alembic's entry: one transaction per run, under a lock so that two deployments never migrate at once."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from adapters.postgres import channel_tables, floor_tables, fulfillment_tables, order_tables, partner_tables, tables
from adapters.postgres.metadata import metadata
from adapters.postgres.urls import sqlalchemy_url

MIGRATION_LOCK = 7_318_201
TABLES = (tables, channel_tables, order_tables, fulfillment_tables, floor_tables, partner_tables)
"""Imported so that `metadata` holds them."""


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        context.run_migrations()


async def _run() -> None:
    url = context.config.attributes["database_url"]
    engine = create_async_engine(sqlalchemy_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate)
    await engine.dispose()


asyncio.run(_run())
