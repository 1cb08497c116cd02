"""Databases for tests. What a test is done with is emptied and used again, which costs a tenth of a new one.

A database that was used before is as new as far as a test can see: no rows but those the migrations made, numbers
that begin at one, no session of another test. Rows are deleted by a superuser for whom neither triggers nor foreign
keys act, so that append-only tables are emptied too. (TRUNCATE costs more than a new database: it must make new files
for every table that refers to another.) Whoever changed more than rows leaves a note, by an event trigger, and that
database is given up.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from app.embedded import Servers
from app.initialize_postgres import execute
from migrations.run import upgrade

TEMPLATE = "onhand_template"
USES_MAX = 40
"""Deleted rows stay in their files: after so many tests a new database is cheaper to work in."""
_INSTALL = """
CREATE SCHEMA emptying;
CREATE TABLE emptying.altered (command text NOT NULL);

DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
  LOOP
    EXECUTE format('CREATE TABLE emptying.%I AS TABLE public.%I', name, name);
  END LOOP;
END $$;

CREATE FUNCTION emptying.note() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  INSERT INTO emptying.altered VALUES (tg_tag);
END $$;

CREATE FUNCTION emptying.empty_tables() RETURNS boolean LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE name text;
BEGIN
  PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend';
  IF EXISTS (SELECT FROM emptying.altered) THEN
    RETURN false;
  END IF;
  FOR name IN SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
  LOOP
    EXECUTE format('DELETE FROM public.%I', name);
  END LOOP;
  FOR name IN SELECT relname FROM pg_class
    WHERE relnamespace = 'emptying'::regnamespace AND relkind = 'r' AND relname <> 'altered'
  LOOP
    EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE TABLE emptying.%I', name, name);
  END LOOP;
  PERFORM setval(seqrelid::regclass, seqstart, false) FROM pg_sequence
    WHERE pg_sequence_last_value(seqrelid) IS NOT NULL;
  RETURN true;
END $$;

CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION emptying.note();
"""


@dataclass(slots=True)
class Databases:
    """Of one PostgreSQL."""

    servers: Servers
    free: list[str] = field(default_factory=list)
    uses: dict[str, int] = field(default_factory=dict)

    def make_template(self) -> None:
        """Migrate once; every database begins as a copy."""
        self.servers.create_database(TEMPLATE)
        upgrade(self.servers.owner_url_for(TEMPLATE))
        execute(self.servers.superuser_url_for(TEMPLATE), _INSTALL)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[str]:
        """The name of a database as the migrations leave it."""
        if self.free:
            name = self.free.pop()
        else:
            name = f"test_{uuid.uuid4().hex[:12]}"
            await asyncio.to_thread(self.servers.create_database, name, TEMPLATE)
        try:
            yield name
        finally:
            await self._take_back(name)

    async def _take_back(self, name: str) -> None:
        self.uses[name] = self.uses.get(name, 0) + 1
        if self.uses[name] < USES_MAX and await self._empty(name):
            self.free.append(name)
        else:
            await asyncio.to_thread(self.servers.drop_database, name)

    async def _empty(self, name: str) -> bool:
        """False when more than rows was changed."""
        connection = await asyncpg.connect(self.servers.superuser_url_for(name))
        try:
            return bool(await connection.fetchval("SELECT emptying.empty_tables()"))
        finally:
            await connection.close()
