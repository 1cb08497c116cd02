"""Many quantities at once by JSON_LISTINGS_FEED: a document, its upload, the feed; applied minutes later."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from adapters.channels.amazon.call_api import AmazonApi, write_path
from adapters.channels.amazon.choose_route import FEED_MESSAGES_MAX
from adapters.channels.amazon.connection import FEED_TYPE
from adapters.channels.amazon.patch_quantities import recall_terms, refuse_foreign
from adapters.channels.amazon.read_listing import Terms, TermsBook, parse_reference, render_patch
from adapters.channels.base import QuantityWrite, WriteOutcome, WriteResult
from domain.errors import CauseClass, Fault

CONTENT_TYPE = "application/json; charset=UTF-8"
UPLOAD_SECONDS = 120.0
MESSAGE_IDS = 2**31 - 1
FEEDS_REMEMBERED_MAX = 32
_NEXT_FEED = WriteResult(WriteOutcome.TRANSIENT, "It goes with the next feed.", CauseClass.QUOTA)


@dataclass(slots=True)
class FeedBook:
    """The write keys of the feeds this process sent lately."""

    keys: OrderedDict[str, tuple[str, ...]] = field(default_factory=OrderedDict)

    def remember(self, receipt: str, keys: Sequence[str]) -> None:
        self.keys[receipt] = tuple(keys)
        while len(self.keys) > FEEDS_REMEMBERED_MAX:
            self.keys.popitem(last=False)


def number_message(key: str) -> int:
    """A message id that any process finds again from the write's key."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return 1 + int.from_bytes(digest) % MESSAGE_IDS


async def submit_feed(
    api: AmazonApi, terms_book: TermsBook, feed_book: FeedBook, writes: Sequence[QuantityWrite]
) -> list[WriteResult]:
    """A result for each write, in order; accepted ones carry the feed's id as receipt. Raises `Fault`: none sent."""
    results: list[WriteResult | None] = [None] * len(writes)
    messages: dict[int, dict[str, Any]] = {}
    keys: list[str] = []
    for place, write in enumerate(writes):
        terms = recall_terms(api, terms_book, write) or parse_reference(write.reference)
        number = number_message(write.key)
        if terms.foreign is not None:
            results[place] = refuse_foreign(terms)
        elif number in messages or len(messages) == FEED_MESSAGES_MAX:
            results[place] = _NEXT_FEED
        else:
            messages[number] = _render_message(api, number, write, terms)
            keys.append(write.key)
    receipt = None
    if messages:
        receipt = await _send(api, list(messages.values()))
        feed_book.remember(receipt, keys)
    return [result or WriteResult(WriteOutcome.ACCEPTED, receipt=receipt) for result in results]


def _render_message(api: AmazonApi, number: int, write: QuantityWrite, terms: Terms) -> dict[str, Any]:
    patch = render_patch(write.quantity, terms, api.connection)
    return {"messageId": number, "sku": write.external_id, "operationType": "PATCH", **patch}


async def _send(api: AmazonApi, messages: list[dict[str, Any]]) -> str:
    connection = api.connection
    document = await api.call(
        "createFeedDocument", "POST", write_path("feeds", "2021-06-30", "documents"), body={"contentType": CONTENT_TYPE}
    )
    header = {"sellerId": connection.seller_id, "version": "2.0"}
    await _upload(api, str(document["url"]), orjson.dumps({"header": header, "messages": messages}))
    feed = await api.call(
        "createFeed",
        "POST",
        write_path("feeds", "2021-06-30", "feeds"),
        body={
            "feedType": FEED_TYPE,
            "marketplaceIds": [connection.marketplace_id],
            "inputFeedDocumentId": str(document["feedDocumentId"]),
        },
    )
    return str(feed["feedId"])


async def _upload(api: AmazonApi, url: str, content: bytes) -> None:
    """To the address signed for it, which is the whole authorisation: the access token stays here."""
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            response = await api.http.put(
                url, content=content, headers={"content-type": CONTENT_TYPE}, timeout=UPLOAD_SECONDS
            )
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"Amazon took no feed document ({type(error).__name__})."
        raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
    if not response.is_success:
        message = f"Amazon took no feed document: {response.status_code}."
        raise Fault(message, transient=True, cause=CauseClass.OUTAGE)
