"""Operations aimed at somebody else's things, made from the schema itself.

Every text and id that an input can hold is either aimed (it names a thing: put theirs there) or free. A field whose
inputs have a name that nobody has sorted yet raises `Unsorted`: whoever adds one says what it names.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLObjectType,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_interface_type,
    is_leaf_type,
    is_list_type,
)

from api.directives import requirement_of
from api.node import KINDS
from api.schema import core
from tests.documents import example, field_of, is_required

DEPTH_MAX = 5
NOW = datetime.datetime.now(datetime.UTC).isoformat()
FREE = frozenset(
    {
        *("note", "reason", "title", "name", "owner", "cursor", "after", "search", "barcode", "baseUrl", "timeZone"),
        *("secret", "location", "verificationToken", "url", "scopes", "region", "actor", "refreshToken", "queueUrl"),
        *("productType", "lwaUrl", "locale", "fulfillmentChannel", "endpoint", "clientSecret", "clientId", "topics"),
        *("awsSecretAccessKey", "awsAccessKeyId", "webhookSecret", "sellerId", "marketplaceId", "reasons", "tags"),
        *(
            "customers",
            "countryCode",
            "address",
            "accessToken",
            "shopDomain",
            "apiKey",
            "provider",
            "cutOff",
            "closedOn",
            "openFrom",
        ),
        *("alertEmail", "groups", "cause", "evidence", "unknownItem", "grade", "carrier", "lines"),
        *("city", "postalCode", "email", "phone", "line", "targets", "assignee"),
        *("document", "plan", "exchangeReference"),
    }
)
"""Words of the caller's own, which find nothing."""
AIMED = {
    "warehouse": "warehouse",
    "warehouses": "warehouse",
    "channel": "channel",
    "channels": "channel",
    "externalId": "external_id",
    "reference": "reference",
    "trackingNumber": "tracking",
    "bin": "bin",
    "zone": "zone",
    "orderReference": "external_id",
    "source": "warehouse",
    "sources": "warehouse",
    "shipFrom": "warehouse",
    "destination": "warehouse",
    "destinations": "warehouse",
    "rule": "rule",
    "bins": "bin",
    "from": "bin",
    "to": "bin",
    "exchangeReference": "external_id",
    "supplier": "supplier",
    "suppliers": "supplier",
    "partner": "partner",
    "sku": "sku",
    "skus": "sku",
    "codes": "sku",
}
"""What the thing is that an input of this name finds."""
CODES = {
    "sku": "sku",
    "skuUpsert": "sku",
    "warehouse": "warehouse",
    "warehouseCreate": "warehouse",
    "zoneUpsert": "zone",
    "binUpsert": "bin",
    "warehouseUpdate": "warehouse",
    "channel": "channel",
    "channelConnect": "channel",
    "partnerConnect": "partner",
    "scan": "sku",
    "supplierSet": "supplier",
}
"""What `code` names, by root field."""
CODED = frozenset({"Sku", "Warehouse", "Channel", "Supplier", "Partner", "AlertRule", "Bin"})
"""Types that inputs name by code: their name in an input's says nothing of ids."""
SETS = frozenset({"kit"})
"""Root fields whose `sku` is a kit."""


class Unsorted(Exception):
    """An input that may name a thing of somebody else's, and nobody has said whether it does."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One operation: `variables` hold the names in `given`."""

    root: str
    name: str
    query: str
    variables: dict[str, Any]


def aim(root: str, name: str, things: Mapping[str, str], ids: Mapping[str, str]) -> Iterator[Probe]:
    """The field asked with what it requires, and again with each optional input besides.

    Args:
        root: Query, Mutation or Subscription.
        name: Of the root field.
        things: By the words of `AIMED`: a name of theirs.
        ids: By type: a global id of theirs. A field that takes an id is asked with each of them; with more than it
            requires, where names say which type an id is of, with that one.
    """
    field = field_of(root, name)
    for kind, key in ids.items() if _takes_id(field.args) else (("", ""),):
        fill = _Fill(name, things, kind, key)
        required = {arg: fill.value(arg, given.type) for arg, given in field.args.items() if is_required(given)}
        yield probe_of(root, name, required)
        for arg, given in field.args.items():
            known = required.get(arg)
            found = fill.variants(arg, given.type, known, f"{name} {arg}")
            yield from (probe_of(root, name, {**required, arg: more}) for more in found)


def _takes_id(inputs: Mapping[str, Any]) -> bool:
    for given in inputs.values():
        kind = get_named_type(given.type)
        if getattr(kind, "name", "") == "ID" or (is_input_object_type(kind) and _takes_id(kind.fields)):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Fill:
    field: str
    things: Mapping[str, str]
    kind: str
    id: str

    def value(self, name: str, kind: Any) -> Any:
        """What is required of an input, aimed."""
        kind = get_nullable_type(kind)
        if is_list_type(kind):
            return [self.value(name, kind.of_type)]
        if is_input_object_type(kind):
            return {n: self.value(n, f.type) for n, f in kind.fields.items() if is_required(f)}
        if name == "idempotencyKey":
            return uuid.uuid4().hex
        if name == "asOf":
            return NOW
        if kind.name == "ID":
            return self.id
        if kind.name == "String":
            return self._text(name)
        return example(kind)

    def variants(self, name: str, kind: Any, known: Any, path: str) -> Iterator[Any]:
        """The same input with one more thing in it that is not required. `known`: what it has already."""
        kind = get_nullable_type(kind)
        if is_list_type(kind) and is_input_object_type(get_nullable_type(kind.of_type)):
            inside = self.variants(name, kind.of_type, None if known is None else known[0], path)
            yield from ([one] for one in inside)
            return
        if not is_input_object_type(kind):
            if known is None and self._is_meant(path):
                yield self.value(name, kind)
            return
        base = self.value(name, kind) if known is None else known
        if known is None and self._is_meant(path):
            yield base
        for inner, field in kind.fields.items():
            for more in self.variants(inner, field.type, base.get(inner), f"{path} {inner}"):
                yield {**base, inner: more}

    def _is_meant(self, path: str) -> bool:
        """Whether an id below this may be of the type: any, when the names on the way name none."""
        said = path.lower()
        return self.kind.lower() in said or not any(kind.lower() in said for kind in KINDS.keys() - CODED)

    def _text(self, name: str) -> str:
        thing = CODES.get(self.field) if name == "code" else AIMED.get(name)
        if thing == "sku" and self.field in SETS:
            thing = "kit"
        if thing is not None:
            return self.things[thing]
        if name in FREE:
            return "x"
        raise Unsorted(f"{self.field}: does {name!r} name a thing? Say so in tests/probes.py.")


def probe_of(root: str, name: str, variables: dict[str, Any]) -> Probe:
    """The field asked with these arguments, for all that it shows."""
    field = field_of(root, name)
    heads = ", ".join(f"${arg}: {field.args[arg].type}" for arg in variables)
    values = ", ".join(f"{arg}: ${arg}" for arg in variables)
    head, call = (f"({heads})", f"({values})") if variables else ("", "")
    below = select_all(field.type, plain=root == "Subscription")
    return Probe(root, name, f"{root.lower()}{head} {{ {name}{call}{below} }}", variables)


def select_all(
    kind: Any, depth: int = DEPTH_MAX, path: tuple[str, ...] = (), prefix: str = "", plain: bool = False
) -> str:
    """Every field below, as deep as `depth`, each type once on the way down.

    `prefix`: of aliases, where types side by side have fields of the same name. `plain`: only what is there without
    another look, which is all that a stream can tell. Fields that not everybody may see are left out: with one of them
    the whole would be refused.
    """
    named = get_named_type(kind)
    if is_leaf_type(named):
        return ""
    if is_interface_type(named):
        parts = [
            f"... on {one.name}{select_all(one, 1, path, f'{one.name}_', plain)}"
            for one in core.get_possible_types(named)
        ]
        return f" {{ __typename {' '.join(parts)} }}"
    assert isinstance(named, GraphQLObjectType)
    parts = []
    for name, field in named.fields.items():
        below = get_named_type(field.type)
        if any(is_required(argument) for argument in field.args.values()) or (plain and _is_async(field)):
            continue
        if requirement_of(field) is not None:
            continue
        if is_leaf_type(below):
            parts.append(f"{prefix}{name}: {name}" if prefix else name)
        elif depth > 0 and below.name not in path:
            few = "(first: 5)" if "first" in field.args else ""
            label = f"{prefix}{name}: " if prefix else ""
            parts.append(f"{label}{name}{few}{select_all(below, depth - 1, (*path, named.name), plain=plain)}")
    return f" {{ {' '.join(parts) or '__typename'} }}"


def _is_async(field: Any) -> bool:
    resolver = getattr(field.extensions.get("strawberry-definition"), "base_resolver", None)
    return bool(getattr(resolver, "is_async", False))
