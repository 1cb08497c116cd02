"""Adapters of the connected channels, opened once per process: they remember access tokens and what they sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from adapters.channels.amazon.receive_messages import MessageQueue
from adapters.channels.base import Channel, Quota
from app.channels.keep_secrets import Keeper
from app.channels.openers import OPENERS, Buckets, Config, Opener, Secrets
from app.channels.seal_credentials import open_credentials
from app.settings import Settings
from domain.errors import CauseClass, Fault

COLUMNS = "id, code, name, kind, status, config::text AS config, credentials"


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A row of `channels` with its adapter, which is None for a kind that is told nothing (B2B).

    `queue`: where its vendor leaves events, for one that does not send them. `quota`: its vendor's budgets.
    """

    id: int
    code: str
    kind: str
    status: str
    adapter: Channel | None
    queue: MessageQueue | None = None
    quota: Quota | None = None

    def seal(self, body: bytes) -> dict[str, str]:
        """The headers that make the body of a message of the queue pass for an event of this channel."""
        adapter: Any = self.adapter
        headers: dict[str, str] = adapter.seal_event(body)
        return headers


@dataclass(slots=True)
class ChannelBook:
    """Open adapters by channel. One whose configuration or credentials changed is opened anew."""

    http: httpx.AsyncClient
    settings: Settings
    quota_of: Callable[[str, str, Buckets], Quota]
    keeper: Keeper
    _known: dict[int, tuple[bytes, Channel, MessageQueue | None, Quota]] = field(default_factory=dict)

    def open(self, record: Any) -> OpenChannel:
        """From a row with `COLUMNS`. Raises a permanent `Fault` when its credentials cannot be opened."""
        opener = OPENERS.get(record["kind"])
        adapter, queue, quota = (None, None, None) if opener is None else self._adapter(record, opener)
        return OpenChannel(record["id"], record["code"], record["kind"], record["status"], adapter, queue, quota)

    def _adapter(self, record: Any, opener: Opener) -> tuple[Channel, MessageQueue | None, Quota]:
        mark = hashlib.blake2b(record["config"].encode() + b"\0" + (record["credentials"] or b"")).digest()
        known = self._known.get(record["id"])
        if known is not None and known[0] == mark:
            return known[1:]
        secrets, config = open_credentials(self.settings, record["credentials"]), orjson.loads(record["config"])
        try:
            account = _name_account(record, opener, config, secrets)
            quota = self.quota_of(record["code"], account, opener.buckets)
            if opener.renewed is None:
                adapter = opener.open(self.http, quota, config, secrets)
            else:
                keep_secrets = self.keeper.keep_for(record["id"])
                adapter = opener.renewed(self.http, quota, config, secrets, keep_secrets)
            queue = None if opener.queue is None else opener.queue(self.http, config, secrets)
        except KeyError as error:
            message = f"Channel {record['code']} lacks {error} of its connection: connect it again."
            raise Fault(message, transient=False, cause=CauseClass.AUTH) from error
        self._known[record["id"]] = (mark, adapter, queue, quota)
        return adapter, queue, quota


def _name_account(record: Any, opener: Opener, config: Config, secrets: Secrets) -> str:
    """A digest of what the vendor counts by, which may be an application's name that is nobody's business."""
    if opener.account is None:
        return str(record["code"])
    parts = (record["kind"], *opener.account(config, secrets))
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()
