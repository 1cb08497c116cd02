"""The committed SDL is the served one, and every root field says who may use it."""

from __future__ import annotations

import re
from pathlib import Path

from graphql import (
    GraphQLString,
    get_named_type,
    is_input_object_type,
    is_object_type,
)

from api.directives import Requires
from api.schema import REQUIREMENTS, core, print_sdl

ROOT = Path(__file__).parents[2]
NO_REMARKS = {"reservationExtend"}
"""Changes no stock."""


def test_the_committed_sdl_is_the_served_one() -> None:
    assert (ROOT / "graphql" / "schema.graphql").read_text() == print_sdl(), "run `make schema` and commit it"


def test_every_root_field_requires_somebody() -> None:
    roots = {name: core.get_type(name) for name in ("Query", "Mutation", "Subscription")}
    for root, kind in roots.items():
        assert is_object_type(kind)
        for name in kind.fields:
            requirement = REQUIREMENTS[root, name]
            assert isinstance(requirement, Requires)
            assert requirement.roles, name
            printed = re.search(
                rf"^  {name}(\([^\n]*\))?: [^\n]*?(@requires\(roles: \[[^\]]+\], scope: [^)]+\))",
                print_sdl(),
                re.MULTILINE,
            )
            assert printed is not None, name
            for role in requirement.roles:
                assert role.value in printed[2]
            assert f'"{requirement.scope}"' in printed[2] or requirement.scope is None


def test_mutations_take_one_input_and_give_a_payload() -> None:
    assert core.mutation_type is not None
    for name, field in core.mutation_type.fields.items():
        kind = name[0].upper() + name[1:]
        assert str(field.type) == f"{kind}Payload!"
        assert {argument: str(given.type) for argument, given in field.args.items()} == {"input": f"{kind}Input!"}
        payload, wanted = core.get_type(f"{kind}Payload"), core.get_type(f"{kind}Input")
        assert is_object_type(payload)
        assert is_input_object_type(wanted)
        assert str(payload.fields["userErrors"].type) == "[UserError!]!"
        assert wanted.fields["idempotencyKey"].type is GraphQLString
        if name.startswith(("stock", "reservation")) and name not in NO_REMARKS:
            assert {"reason", "note", "reference"} <= wanted.fields.keys(), name


def test_connections_have_one_shape() -> None:
    for name, kind in core.type_map.items():
        if name.endswith("Connection") and is_object_type(kind):
            node = name.removesuffix("Connection")
            shape = {field: str(found.type) for field, found in kind.fields.items()}
            assert shape == {
                "edges": f"[{node}Edge!]!",
                "nodes": f"[{node}!]!",
                "pageInfo": "PageInfo!",
                "totalCount": "Int!",
            }, name
    assert core.query_type is not None
    for name, field in core.query_type.fields.items():
        if get_named_type(field.type).name.endswith("Connection"):
            assert {"first", "after"} <= field.args.keys(), name


def test_what_has_an_id_is_a_node() -> None:
    for kind in core.type_map.values():
        if is_object_type(kind) and "id" in kind.fields:
            assert [str(one) for one in kind.interfaces] == ["Node"], kind


CONTRACT = {
    "Sku": "id code title barcode unitCost weightGrams volumeMl status frozen stock",
    "Warehouse": "id code name kind status address latitude longitude timeZone storageCapacity dailyOrderCapacity",
    "StockLevel": "id sku warehouse onHand available reserved committed damaged qualityControl incoming inTransit"
    " safetyStock version updatedAt",
    "StockMovement": "id postedAt effectiveAt sku warehouse fromBucket toBucket quantity balanceAfter reason note"
    " reference actor unitCost",
    "StockChange": "cursor kind level",
    "Money": "amount currency",
    "UserError": "code message path",
    "StockMovementFilter": "sku warehouse reasons reference from to",
    "StockLevelFilter": "skus warehouses belowSafetyStock",
    "StockFilter": "skus warehouses",
    "Channel": "id code status health quota lag",
    "ChannelLag": "p50 p95 p99",
    "Listing": "id channel sku externalId published acknowledged observed state driftSince lastAcknowledgedAt exposure",
    "ListingFilter": "channel skus states",
    "ExceptionCase": "id kind severity state cause subject owner dueAt timeline proof",
    "ExceptionCaseFilter": "kinds states severities owner",
    "Query": "me node sku skus warehouse warehouses stockLevels stockMovements stockExplain channels channel listings"
    " syncAttempts oversellExposure exceptionCases",
    "Mutation": "warehouseCreate warehouseUpdate skuUpsert stockReceive stockAdjust stockSet reservationCreate"
    " reservationExtend reservationRelease tokenCreate tokenRotate tokenRevoke channelConnect channelUpdate"
    " channelGoLive channelPause channelResume listingLink listingUnlink listingPolicySet listingResync skuFreeze"
    " skuUnfreeze exceptionAcknowledge exceptionAssign exceptionRetry exceptionResolve alertRuleSet",
    "Subscription": "stockChanged syncFailures listingChanged exceptionChanged",
}
"""The names that clients build on (the public contract): they may grow, and are never taken away."""


def test_the_names_of_the_contract_are_kept() -> None:
    for name, fields in CONTRACT.items():
        kind = core.get_type(name)
        assert is_object_type(kind) or is_input_object_type(kind)
        assert set(fields.split()) - kind.fields.keys() == set(), name
    money = core.get_type("Money")
    assert is_object_type(money)
    assert {name: str(field.type) for name, field in money.fields.items()} == {
        "amount": "Decimal!",
        "currency": "CurrencyCode!",
    }


def test_dates_and_money_are_scalars_of_one_kind() -> None:
    for kind in core.type_map.values():
        if not (is_object_type(kind) or is_input_object_type(kind)):
            continue
        for name, field in kind.fields.items():
            found = get_named_type(field.type).name
            if name.endswith("At"):
                assert found == "DateTime", f"{kind}.{name}"
            if name == "currency":
                assert found == "CurrencyCode", f"{kind}.{name}"
