"""The doors that every sandbox marketplace has beside its API, for people, tests and scripts: buy, break, fill."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Protocol, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from adapters.sandbox.faults import FaultBox, FaultError
from adapters.sandbox.read_body import OrderError, go_back, read_cart_form, read_json, read_object
from adapters.sandbox.respond import JsonResponse

PRODUCTS_MAX = 50_000

T = TypeVar("T")


class Shelf(Protocol):
    """What sells. `oversell`: also what it does not have."""

    oversell: bool


def refuse(status: int, code: str, message: str) -> JsonResponse:
    return JsonResponse({"error": {"code": code, "message": message}}, status)


async def sell(
    request: Request, place: Callable[[Any], T], name: Callable[[T], str], render: Callable[[T], dict[str, Any]]
) -> Response:
    """JSON for scripts (201, or the refusal's status); a form for people (back to the page)."""
    body = await request.body()
    # curl calls any body a form unless told otherwise, so a body that opens like JSON is JSON.
    kind = request.headers.get("content-type", "")
    is_form = kind.startswith("application/x-www-form-urlencoded") and not body.lstrip().startswith(b"{")
    try:
        order = place(read_cart_form(body) if is_form else read_json(body))
    except OrderError as error:
        return go_back(str(error), bad=True) if is_form else refuse(error.status, error.code, str(error))
    if is_form:
        return go_back(f"Thank you: order {name(order)} is placed.")
    return JsonResponse(render(order), 201)


def read_since(request: Request) -> float:
    """`?since=<seconds>`, of the sandbox's own clock; 0 if left out. Raises `OrderError`."""
    try:
        return float(request.query_params.get("since", "0"))
    except ValueError:
        raise OrderError(400, "BAD_SINCE", "since is a time in seconds") from None


async def change_faults(
    request: Request, faults: FaultBox[Any], shelf: Shelf, skus: Container[str], change: Callable[[str, int], object]
) -> Response:
    """Replaces all faults, or adds one when `kind` is given: {"kind": "lost_reply", "count": 2}.

    Two keys act instead, and leave the faults as they are unless there are others: `oversell` is switched,
    `outside_changes` are done.
    """
    raw = read_object(await request.body())
    if raw is None:
        return refuse(400, "BAD_FAULTS", "send an object of faults")
    acts = not raw.keys().isdisjoint(("oversell", "outside_changes"))
    oversell, changes = raw.pop("oversell", shelf.oversell), raw.pop("outside_changes", [])
    if not isinstance(oversell, bool) or not _are_changes(skus, changes):
        return refuse(400, "BAD_FAULTS", "oversell is a boolean; outside_changes are [{sku, delta}]")
    try:
        if "kind" in raw:
            faults.add_counted(raw)
        elif raw or not acts:
            faults.replace(raw)
    except FaultError as error:
        return refuse(400, "BAD_FAULTS", str(error))
    shelf.oversell = oversell
    for one in changes:
        change(one["sku"], one["delta"])
    return JsonResponse(faults.render())


def _are_changes(skus: Container[str], changes: Any) -> bool:
    return isinstance(changes, list) and all(
        isinstance(one, dict) and one.get("sku") in skus and isinstance(one.get("delta"), int) for one in changes
    )


async def read_products(request: Request, parse: Callable[[dict[str, Any]], T]) -> list[T]:
    """All of them, or none. Raises `OrderError`, and whatever `parse` raises."""
    raw = read_json(await request.body())
    if not isinstance(raw, list) or len(raw) > PRODUCTS_MAX or not all(isinstance(entry, dict) for entry in raw):
        raise OrderError(400, "BAD_PRODUCTS", f"send a list of at most {PRODUCTS_MAX} products, each an object")
    return [parse(entry) for entry in raw]
