"""The Feeds API 2021-06-30, and the signed addresses documents are put to and fetched from."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.amazon.answer_calls import ApiError, Call, check_query, refuse_input
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.process_feeds import FEED_TYPE
from adapters.sandbox.amazon.state import DOCUMENTS_MAX, FEEDS_MAX, Document, Feed, now, trim, write_time

DOCUMENT_BYTES_MAX = 50_000_000
FIRST_FEED = 50_000_000_000
NO_QUERY: frozenset[str] = frozenset()
UPLOAD, DOWNLOAD = "PUT", "GET"


def create_document(market: Market, call: Call) -> dict[str, Any]:
    content_type = call.read_object().get("contentType")
    if not isinstance(content_type, str) or not content_type:
        raise refuse_input("contentType is required.")
    document = Document(f"amzn1.tortuga.4.na.{uuid.uuid4()}", content_type, now())
    market.state.documents[document.document_id] = document
    trim(market.state.documents, DOCUMENTS_MAX)
    market.state.touch()
    return {"feedDocumentId": document.document_id, "url": sign_url(market, call, UPLOAD, document.document_id)}


def create_feed(market: Market, call: Call) -> dict[str, Any]:
    raw = call.read_object()
    document = market.state.documents.get(str(raw.get("inputFeedDocumentId")))
    if raw.get("feedType") != FEED_TYPE:
        raise refuse_input(f"The sandbox takes feeds of type {FEED_TYPE}.")
    if raw.get("marketplaceIds") != [market.config.marketplace_id]:
        raise refuse_input("The sandbox has one marketplace: name it in marketplaceIds.")
    if document is None or document.content is None:
        raise refuse_input("inputFeedDocumentId is not of a document that was uploaded.")
    feed_id = str(FIRST_FEED + market.state.next_index("Feed"))
    market.state.feeds[feed_id] = Feed(feed_id, FEED_TYPE, document.document_id, "IN_QUEUE", now())
    trim(market.state.feeds, FEEDS_MAX)
    market.schedule(market.config.feed_queue_seconds, "start_feed", {"feed_id": feed_id})
    return {"feedId": feed_id}


def get_feed(market: Market, call: Call) -> dict[str, Any]:
    check_query(call, NO_QUERY)
    feed = market.state.feeds.get(call.path["feed_id"])
    if feed is None:
        raise ApiError(404, "NotFound", "The feed does not exist.")
    answer = {
        "feedId": feed.feed_id,
        "feedType": feed.feed_type,
        "marketplaceIds": [market.config.marketplace_id],
        "createdTime": write_time(feed.created_at),
        "processingStatus": feed.status,
    }
    if feed.started_at is not None:
        answer["processingStartTime"] = write_time(feed.started_at)
    if feed.ended_at is not None:
        answer["processingEndTime"] = write_time(feed.ended_at)
    if feed.result_document is not None:
        answer["resultFeedDocumentId"] = feed.result_document
    return answer


def get_document(market: Market, call: Call) -> dict[str, Any]:
    check_query(call, frozenset({"enableContentEncodingUrlHeader"}))
    document = market.state.documents.get(call.path["document_id"])
    if document is None or document.content is None:
        raise ApiError(404, "NotFound", "The feed document does not exist.")
    answer = {
        "feedDocumentId": document.document_id,
        "url": sign_url(market, call, DOWNLOAD, document.document_id),
    }
    return {**answer, "compressionAlgorithm": "GZIP"} if document.gzip else answer


def sign_url(market: Market, call: Call, method: str, document_id: str) -> str:
    """Good for that method and that document, for `document_seconds`."""
    expires = int(now() + market.config.document_seconds)
    signature = _sign(market, method, document_id, str(expires))
    return f"{call.base_url}/documents/{document_id}?expires={expires}&signature={signature}"


def _sign(market: Market, method: str, document_id: str, expires: str) -> str:
    text = f"{method} {document_id} {expires}".encode()
    return hmac.new(market.config.client_secret.encode(), text, hashlib.sha256).hexdigest()


def _is_signed(market: Market, request: Request) -> bool:
    expires = request.query_params.get("expires", "")
    expected = _sign(market, request.method, request.path_params["document_id"], expires)
    given = request.query_params.get("signature", "")
    return hmac.compare_digest(expected.encode(), given.encode()) and int(expires) >= now()


async def put_document(market: Market, request: Request) -> Response:
    """The content type must be the one the document was created with: it is part of the signature."""
    document = market.state.documents.get(request.path_params["document_id"])
    if document is None or not _is_signed(market, request):
        return Response("Request has expired or is not signed", 403)
    if request.headers.get("content-type") != document.content_type:
        return Response("The content type is not the one that was signed", 403)
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > DOCUMENT_BYTES_MAX:
            return Response("The document is too large", 413)
    try:
        document.content = content.decode()
    except UnicodeDecodeError:
        return Response("The document is not UTF-8", 400)
    market.state.touch()
    return Response(status_code=200)


async def fetch_document(market: Market, request: Request) -> Response:
    document = market.state.documents.get(request.path_params["document_id"])
    if document is None or document.content is None or not _is_signed(market, request):
        return Response("Request has expired or is not signed", 403)
    content = document.content.encode()
    return Response(gzip.compress(content) if document.gzip else content, media_type=document.content_type)
