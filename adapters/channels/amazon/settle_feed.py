"""What a feed came to, message by message."""

from __future__ import annotations

import datetime
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from adapters.channels.amazon.call_api import AmazonApi, write_path
from adapters.channels.amazon.read_issues import refuse, write_text
from adapters.channels.amazon.submit_feed import FeedBook, number_message
from adapters.channels.base import WriteOutcome, WriteResult
from domain.errors import CauseClass, Fault

REPORT_BYTES_MAX = 64_000_000
DOWNLOAD_SECONDS = 120.0
GZIP_MAGIC = b"\x1f\x8b"
# zlib reads the gzip format when its window size is asked for this way.
GZIP_WINDOW = zlib.MAX_WBITS | 16
WORKING = frozenset({"IN_QUEUE", "IN_PROGRESS"})
FAILED = frozenset({"CANCELLED", "FATAL"})


@dataclass(frozen=True, slots=True)
class Settled:
    """`took_seconds`: from the feed's creation to its end, by the vendor's clock."""

    results: Mapping[str, WriteResult]
    took_seconds: float | None


async def settle_feed(api: AmazonApi, book: FeedBook, feed_id: str, keys: Sequence[str]) -> Settled | None:
    """None while Amazon works on it. Raises `Fault`; a permanent one when nobody says whose feed it was."""
    feed = await api.call("getFeed", "GET", write_path("feeds", "2021-06-30", "feeds", feed_id))
    status = str(feed.get("processingStatus"))
    if status in WORKING:
        return None
    keys = keys or book.keys.get(feed_id, ())
    if not keys:
        raise Fault("The feed was sent by another process: say the keys of its writes.", transient=False)
    took_seconds = measure_feed(feed)
    if status in FAILED:
        result = WriteResult(WriteOutcome.TRANSIENT, f"Amazon's feed ended {status}.", CauseClass.OUTAGE)
        return Settled(dict.fromkeys(keys, result), took_seconds)
    report = await _read_report(api, feed.get("resultFeedDocumentId"))
    return Settled(read_report(report, keys), took_seconds)


def measure_feed(feed: Mapping[str, Any]) -> float | None:
    try:
        begun, ended = (datetime.datetime.fromisoformat(feed[name]) for name in ("createdTime", "processingEndTime"))
    except (KeyError, ValueError, TypeError):
        return None
    return max(0.0, (ended - begun).total_seconds())


def read_report(report: Mapping[str, Any], keys: Sequence[str]) -> dict[str, WriteResult]:
    """Results by key. A message without an error was accepted: "the associated updates are being applied"."""
    by_message: dict[int | None, list[Mapping[str, Any]]] = {}
    for issue in report.get("issues") or []:
        by_message.setdefault(issue.get("messageId"), []).append(issue)
    shared = _errors_in(by_message.get(None, []))
    if shared:
        # The document as a whole was turned away: no listing is to blame.
        result = WriteResult(WriteOutcome.TRANSIENT, write_text(shared), CauseClass.VALIDATION)
        return dict.fromkeys(keys, result)
    return {key: _read_message(by_message.get(number_message(key), [])) for key in keys}


def _read_message(issues: Sequence[Mapping[str, Any]]) -> WriteResult:
    errors = _errors_in(issues)
    return refuse(errors) if errors else WriteResult(WriteOutcome.ACCEPTED, write_text(issues) or None)


def _errors_in(issues: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [issue for issue in issues if issue.get("severity") == "ERROR"]


async def _read_report(api: AmazonApi, document_id: Any) -> dict[str, Any]:
    if not isinstance(document_id, str):
        return {}
    document = await api.call("getFeedDocument", "GET", write_path("feeds", "2021-06-30", "documents", document_id))
    content = await _download(api, str(document["url"]))
    try:
        report = orjson.loads(unpack_report(content))
    except (ValueError, zlib.error):
        report = None
    if not isinstance(report, dict):
        raise Fault("Amazon's processing report is not JSON.", transient=True, cause=CauseClass.OUTAGE)
    return report


async def _download(api: AmazonApi, url: str) -> bytes:
    content = bytearray()
    try:
        async with api.http.stream("GET", url, timeout=DOWNLOAD_SECONDS) as response:
            if not response.is_success:
                message = f"Amazon gave no processing report: {response.status_code}."
                raise Fault(message, transient=True, cause=CauseClass.OUTAGE)
            async for part in response.aiter_bytes():
                content += part
                check_size(len(content))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = f"Amazon gave no processing report ({type(error).__name__})."
        raise Fault(message, transient=True, cause=CauseClass.OUTAGE) from None
    return bytes(content)


def unpack_report(content: bytes) -> bytes:
    """Plain or gzip, told by the content: an HTTP client may have unpacked it already. Raises `Fault`, zlib.error."""
    if not content.startswith(GZIP_MAGIC):
        return content
    unpacked = zlib.decompressobj(GZIP_WINDOW).decompress(content, REPORT_BYTES_MAX + 1)
    check_size(len(unpacked))
    return unpacked


def check_size(size: int) -> None:
    if size > REPORT_BYTES_MAX:
        raise Fault("Amazon's processing report is too large to read.", transient=False, cause=CauseClass.VALIDATION)
