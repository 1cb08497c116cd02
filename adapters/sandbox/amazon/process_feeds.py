"""Feeds, worked off later: queued, in progress, done with a report of every message that was not accepted."""

from __future__ import annotations

import uuid
from typing import Any

import orjson

from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.render_notification import render_feed_finished
from adapters.sandbox.amazon.state import DOCUMENTS_MAX, Document, Feed, now, trim
from adapters.sandbox.amazon.submit_patches import PATH, Issue, is_patch_list, judge_patches, submit_patches

MESSAGES_MAX = 25_000
MESSAGE_ID_MAX = 2**31 - 1
FEED_TYPE = "JSON_LISTINGS_FEED"


def start_feed(market: Market, feed_id: str) -> None:
    feed = market.state.feeds.get(feed_id)
    if feed is None:
        return
    if market.faults.strike(FaultKind.FEED_CANCELLED):
        _end_feed(market, feed, "CANCELLED")
        return
    feed.status, feed.started_at = "IN_PROGRESS", now()
    market.schedule(market.config.feed_work_seconds, "finish_feed", {"feed_id": feed_id})


def finish_feed(market: Market, feed_id: str) -> None:
    feed = market.state.feeds.get(feed_id)
    if feed is None:
        return
    messages = _read_messages(market, feed)
    if messages is None or feed.feed_type != FEED_TYPE or market.faults.strike(FaultKind.FEED_FATAL):
        _end_feed(market, feed, "FATAL")
        return
    issues = [issue for message in messages for issue in _process_message(market, feed, message)]
    feed.result_document = _write_report(market, feed, len(messages), issues)
    _end_feed(market, feed, "DONE")


def _end_feed(market: Market, feed: Feed, status: str) -> None:
    feed.status, feed.ended_at = status, now()
    if feed.started_at is None:
        feed.started_at = feed.ended_at
    market.state.documents.pop(feed.input_document, None)
    market.publish(render_feed_finished(market.config, feed))


def _read_messages(market: Market, feed: Feed) -> list[dict[str, Any]] | None:
    """None when the document is not a feed of this seller's."""
    document = market.state.documents.get(feed.input_document)
    try:
        raw = orjson.loads((document.content if document else None) or "")
        header, messages = raw["header"], raw["messages"]
        good = header["sellerId"] == market.config.seller_id and header["version"] == "2.0"
        numbers = [message["messageId"] for message in messages]
        skus = [message["sku"] for message in messages]
    except (ValueError, KeyError, TypeError):
        return None
    good = good and 1 <= len(messages) <= MESSAGES_MAX and len(set(numbers)) == len(numbers)
    good = good and all(isinstance(number, int) and 1 <= number <= MESSAGE_ID_MAX for number in numbers)
    return messages if good and all(isinstance(sku, str) and sku for sku in skus) else None


def _process_message(market: Market, feed: Feed, message: dict[str, Any]) -> list[dict[str, Any]]:
    """Submits it, or says why not."""
    patches, product_type = _read_patches(message), message.get("productType")
    if patches is None or not isinstance(product_type, str):
        issues = [Issue("90000900", "The sandbox takes PATCH and PARTIAL_UPDATE of fulfillment_availability.")]
    else:
        issues = judge_patches(market, message["sku"], product_type, patches)
        if not issues:
            submit_patches(market, message["sku"], patches, submitted_at=feed.created_at)
    return [_render_issue(message, issue) for issue in issues]


def _read_patches(message: dict[str, Any]) -> list[dict[str, Any]] | None:
    """PARTIAL_UPDATE is the same as PATCH with `replace`."""
    patches = message.get("patches")
    if message.get("operationType") == "PARTIAL_UPDATE":
        value = (message.get("attributes") or {}).get("fulfillment_availability")
        patches = [{"op": "replace", "path": PATH, "value": value}]
    elif message.get("operationType") != "PATCH":
        return None
    return patches if is_patch_list(patches) else None


def _render_issue(message: dict[str, Any], issue: Issue) -> dict[str, Any]:
    raw = {
        "messageId": message["messageId"],
        "sku": message["sku"],
        "code": issue.code,
        "severity": "ERROR",
        "message": issue.message,
    }
    return raw if issue.attribute is None else {**raw, "attributeName": issue.attribute}


def _write_report(market: Market, feed: Feed, count: int, issues: list[dict[str, Any]]) -> str:
    invalid = len({issue["messageId"] for issue in issues})
    report = {
        "header": {"sellerId": market.config.seller_id, "version": "2.0", "feedId": feed.feed_id},
        "issues": issues,
        "summary": {
            "errors": len(issues),
            "warnings": 0,
            "messagesProcessed": count,
            "messagesAccepted": count - invalid,
            "messagesInvalid": invalid,
        },
    }
    document_id = f"amzn1.tortuga.4.na.{uuid.uuid4()}"
    document = Document(
        document_id, "application/json", now(), orjson.dumps(report).decode(), market.config.gzip_reports
    )
    market.state.documents[document_id] = document
    trim(market.state.documents, DOCUMENTS_MAX)
    return document_id
