"""What people and scripts send to a sandbox's own doors: carts as JSON or as a form, and where a form leads back to."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode

import orjson
from starlette.responses import RedirectResponse


class OrderError(Exception):
    """The buyer asked for something the sandbox refuses; `status` is the HTTP answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


def read_json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise OrderError(400, "BAD_JSON", "the body is not JSON") from None


def read_object(body: bytes) -> dict[str, Any] | None:
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return raw if isinstance(raw, dict) else None


def read_cart_form(body: bytes) -> dict[str, Any]:
    """One product and a quantity, as the page's form sends them."""
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
        return {"lines": [{"sku": fields["sku"][0], "quantity": int(fields["quantity"][0])}]}
    except (KeyError, ValueError):
        raise OrderError(400, "BAD_CART", "choose a product and a whole quantity") from None


def go_back(note: str, *, bad: bool = False) -> RedirectResponse:
    return RedirectResponse(f"/?{urlencode({'note': note, 'bad': int(bad)})}", status_code=303)
