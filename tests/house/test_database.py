"""The migrated database: what the tables module says, and no more rights than the application needs."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, LargeBinary
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import adapters.postgres
from adapters.postgres.database import Database, open_database
from adapters.postgres.metadata import Xid8, metadata
from adapters.postgres.urls import sqlalchemy_url
from app.channels.reseal_credentials import SEALED
from app.embedded import Servers
from app.settings import Settings
from migrations.head import head_revision
from migrations.run import alembic_config

# Triggers, also those that are constraints (contype t), are of the migrations alone.
_SHAPES = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
               pg_get_expr(d.adbin, d.adrelid)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_attrdef d
          ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND contype NOT IN ('n', 't')""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "options": """
        SELECT relname, reloptions::text FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND reloptions IS NOT NULL""",
}

UNSEALED = {("inbound_events", "body"), ("idempotency_keys", "input_hash"), ("tokens", "secret_hash")}
"""Columns of bytes that no key seals: bodies as they came, and hashes."""


async def read_shape(url: str) -> dict[str, set[tuple[Any, ...]]]:
    connection = await asyncpg.connect(url)
    try:
        found = {name: await connection.fetch(query) for name, query in _SHAPES.items()}
    finally:
        await connection.close()
    return {name: {tuple(row) for row in rows if row[0] != "alembic_version"} for name, rows in found.items()}


def load_tables() -> None:
    """Tables register themselves when their module is imported: every module there is."""
    for module in pkgutil.iter_modules(adapters.postgres.__path__, "adapters.postgres."):
        importlib.import_module(module.name)


@pytest.fixture
async def made_from_tables(servers: Servers) -> AsyncIterator[str]:
    """A database made from the tables' modules alone."""
    load_tables()
    name = f"tables_{uuid.uuid4().hex[:8]}"
    await asyncio.to_thread(servers.create_database, name)
    engine = create_async_engine(sqlalchemy_url(servers.owner_url_for(name)), poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    yield servers.owner_url_for(name)
    await asyncio.to_thread(servers.drop_database, name)


async def test_migrations_and_tables_make_the_same_database(settings: Settings, made_from_tables: str) -> None:
    """Columns, defaults, checks, keys, indexes with their conditions, and storage options."""
    migrated, tables = await read_shape(settings.owner_database_url), await read_shape(made_from_tables)
    for name in _SHAPES:
        assert migrated[name] - tables[name] == set(), f"{name} in the migrations only"
        assert tables[name] - migrated[name] == set(), f"{name} in adapters/postgres/tables.py only"
    assert len(migrated["columns"]) > 100
    assert len(migrated["constraints"]) > 50


async def test_alembic_finds_nothing_to_migrate(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ischema_names, "xid8", Xid8)
    load_tables()

    def compare(connection: Connection) -> Any:
        options = {"compare_type": True, "compare_server_default": True}
        return compare_metadata(MigrationContext.configure(connection, opts=options), metadata)

    engine = create_async_engine(sqlalchemy_url(settings.owner_database_url), poolclass=NullPool)
    async with engine.connect() as connection:
        assert await connection.run_sync(compare) == []
    await engine.dispose()


def test_the_newest_migration_is_known_by_its_file() -> None:
    """Alembic itself refuses to say, where the chain has two ends."""
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == head_revision()


FORBIDDEN = (
    "UPDATE stock_movements SET note = 'rewritten'",
    "DELETE FROM stock_movements",
    "TRUNCATE stock_movements",
    "DELETE FROM skus",
    "DELETE FROM warehouses",
    "DELETE FROM stock_levels",
    "DELETE FROM reservations",
    "DELETE FROM orders",
    "DELETE FROM tokens",
    "TRUNCATE stock_levels",
    "ALTER TABLE stock_levels DROP CONSTRAINT ck_stock_levels_available",
    "ALTER TABLE stock_levels DISABLE TRIGGER ALL",
    "DROP TABLE stock_movements",
    "CREATE TABLE public.mine (id int)",
    "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA mine",
    "UPDATE alembic_version SET version_num = '0'",
    "CREATE ROLE mine",
    "SET session_replication_role = replica",
)


@pytest.fixture(scope="module")
async def database(module_settings: Settings) -> AsyncIterator[Database]:
    """As the application opens it."""
    url = module_settings.database_url
    async with open_database(url, pool_size=1, hot_pool_size=2, name="onhand tests") as opened:
        yield opened


@pytest.mark.parametrize("statement", FORBIDDEN)
@pytest.mark.parametrize("reset", [False, True], ids=["as the application", "after RESET ROLE"])
async def test_the_application_cannot(database: Database, statement: str, reset: bool) -> None:
    """Nor can whoever gets its connection, even by giving up the role it took."""
    async with database.hot.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            if reset:
                await connection.execute("RESET ROLE")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        finally:
            await transaction.rollback()


async def test_the_application_owns_nothing(database: Database) -> None:
    owned = """
        SELECT 'relation', oid::regclass::text FROM pg_class WHERE pg_has_role(session_user, relowner, 'MEMBER')
        UNION ALL SELECT 'routine', oid::regproc::text FROM pg_proc WHERE pg_has_role(session_user, proowner, 'MEMBER')
        UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE pg_has_role(session_user, nspowner, 'MEMBER')
        UNION ALL SELECT 'database', datname FROM pg_database
          WHERE datname = current_database() AND pg_has_role(session_user, datdba, 'MEMBER')"""
    assert [tuple(row) for row in await database.hot.fetch(owned)] == []
    attributes = (
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = $1"
    )
    login = await database.hot.fetchval("SELECT session_user::text")
    for role in ("onhand_app", login):
        assert tuple(await database.hot.fetchrow(attributes, role)) == (False,) * 5


@pytest.fixture
async def level(database: Database) -> Any:
    """A connection on a row of one SKU in one warehouse with five available units, rolled back at the end."""
    async with database.hot.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        sku = await connection.fetchval("INSERT INTO skus (code, title) VALUES ('S', 'S') RETURNING id")
        house = await connection.fetchval("INSERT INTO warehouses (code, name) VALUES ('W', 'W') RETURNING id")
        columns = "(sku_id, warehouse_id, available, supplier)"
        await connection.execute(f"INSERT INTO stock_levels {columns} VALUES ($1, $2, 5, -5)", sku, house)
        yield connection
        await transaction.rollback()


@pytest.mark.parametrize(
    "change",
    [
        "available = available - 6, reserved = reserved + 6",
        "available = -1, supplier = 1",
        "reserved = -1, available = 6",
        "committed = -1, available = 6",
        "damaged = -1, available = 6",
        "quality_control = -1, available = 6",
        "in_transit = -1, available = 6",
        "available = available - 1",
        "available = available + 1",
        "supplier = 0",
        "available = NULL",
        "safety_stock = -1",
    ],
)
async def test_the_database_itself_refuses(level: Any, change: str) -> None:
    """An oversell, a unit from nowhere, a unit gone: whatever the code does."""
    with pytest.raises((asyncpg.CheckViolationError, asyncpg.NotNullViolationError)):
        await level.execute(f"UPDATE stock_levels SET {change}")


async def test_the_database_allows_the_last_unit(level: Any) -> None:
    await level.execute("UPDATE stock_levels SET available = available - 5, reserved = reserved + 5")
    assert tuple(await level.fetchrow("SELECT available, reserved FROM stock_levels")) == (0, 5)


@pytest.mark.parametrize(
    "values", ["'available', 'reserved', 0", "'available', 'reserved', -1", "'available', 'available', 1"]
)
async def test_a_movement_moves_something_somewhere(level: Any, values: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await level.execute(
            "INSERT INTO stock_movements (sku_id, warehouse_id, from_bucket, to_bucket, quantity, from_balance_after,"
            f" to_balance_after, version, reason, actor) VALUES (1, 1, {values}, 0, 0, 1, 'TEST', 'test')"
        )


def test_every_column_of_bytes_is_sealed_anew_or_known_not_to_be_sealed() -> None:
    load_tables()
    found = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert found == {(one.table, one.column) for one in SEALED} | UNSEALED
