"""OpenTelemetry spans, when an endpoint is set; without one nothing is made, and asking for one costs nothing.

request > operation > (transaction | combined batch > transaction), and channel push > transaction in a worker.
A combined batch carries several requests: it has no parent among them, and links to each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.settings import Settings

_OFF: AbstractContextManager[Any] = nullcontext()
_tracer: trace.Tracer | None = None
_PROPAGATOR = TraceContextTextMapPropagator()


def span(name: str, **attributes: Any) -> AbstractContextManager[Span | None]:
    """A span within the current one; None when nothing is traced."""
    if _tracer is None:
        return _OFF
    return _tracer.start_as_current_span(name, attributes=_named(attributes))


def request_span(name: str, headers: Mapping[bytes, bytes], **attributes: Any) -> AbstractContextManager[Span | None]:
    """The span of a request from outside, within the caller's trace if it names one (W3C `traceparent`)."""
    if _tracer is None:
        return _OFF
    carrier = {key: headers[key.encode()].decode("latin-1") for key in _PROPAGATOR.fields if key.encode() in headers}
    parent = _PROPAGATOR.extract(carrier, Context())
    return _tracer.start_as_current_span(name, parent, SpanKind.SERVER, _named(attributes))


def batch_span(name: str, links: Iterable[Link | None], **attributes: Any) -> AbstractContextManager[Span | None]:
    """A span that carries what several others wait for."""
    if _tracer is None:
        return _OFF
    known = [link for link in links if link is not None]
    return _tracer.start_as_current_span(name, Context(), SpanKind.INTERNAL, _named(attributes), known)


def current_link() -> Link | None:
    """A link to the current span; None when nothing is traced."""
    if _tracer is None:
        return None
    found = trace.get_current_span().get_span_context()
    return Link(found) if found.is_valid else None


def _named(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {f"onhand.{name}": value for name, value in attributes.items()}


@contextmanager
def traced(settings: Settings, name: str) -> Iterator[None]:
    """Send this process's spans to `otlp_endpoint` (OTLP over HTTP) until the block ends."""
    if settings.otlp_endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=traces_url(settings.otlp_endpoint))
    with tracing_to(BatchSpanProcessor(exporter), name):
        yield


def traces_url(endpoint: str) -> str:
    """A collector named by its root takes traces at `/v1/traces`."""
    return endpoint.rstrip("/") + "/v1/traces" if urlsplit(endpoint).path in ("", "/") else endpoint


@contextmanager
def tracing_to(processor: SpanProcessor, name: str) -> Iterator[None]:
    """Make spans and give them to `processor` until the block ends."""
    global _tracer
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(processor)
    before, _tracer = _tracer, provider.get_tracer("onhand")
    try:
        yield
    finally:
        _tracer = before
        provider.shutdown()
