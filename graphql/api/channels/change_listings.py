"""`listingLink`, `listingUnlink`, `listingPolicySet`, `listingResync`, `skuFreeze` and `skuUnfreeze`."""

from __future__ import annotations

from typing import Any

import strawberry

from api.answer import answer
from api.channels.change_channel import RUNNERS
from api.channels.policy_types import LISTING_POLICY
from api.channels.types import Listing, channel_from_row, make_listing
from api.context import Context, Info
from api.ids import encode_id
from api.scalars import UserError
from api.stock.types import Sku, sku_from_row
from app.calls import make_call
from app.catalog.read_catalog import read_skus_by_ids
from app.channels.change_listings import LinkLine, PolicyLine, link_lines, resync_lines, set_policy, unlink_lines
from app.channels.find_listings import ListingName
from app.channels.freeze_sku import freeze_sku


@strawberry.input
class ListingLinkLine:
    sku: str = strawberry.field(description="Code or barcode.")
    external_id: str = strawberry.field(description="What the channel calls it.")
    location: str | None = strawberry.field(
        default=None, description="May be left out where the channel's warehouses are all shown at one."
    )
    reference: str | None = strawberry.field(
        default=None, description="What else the channel needs: eBay's offer id, Amazon's product type."
    )


@strawberry.input(description="A SKU that is linked already is linked anew.")
class ListingLinkInput:
    channel: str
    lines: list[ListingLinkLine]
    idempotency_key: str | None = None


@strawberry.input
class ListingLine:
    sku: str = strawberry.field(description="Code or barcode.")
    location: str | None = strawberry.field(
        default=None, description="May be left out where the channel lists the SKU at one alone."
    )


@strawberry.input
class ListingUnlinkInput:
    channel: str
    lines: list[ListingLine]
    idempotency_key: str | None = None


@strawberry.input(description="What is left out keeps its value; null: as the channel has it.")
class ListingPolicyLine:
    sku: str
    location: str | None = None
    buffer: int | None = strawberry.UNSET
    share_percent: int | None = strawberry.UNSET
    maximum: int | None = strawberry.UNSET
    minimum: int | None = strawberry.UNSET
    multiple: int | None = strawberry.UNSET
    safety_stock: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="Units that stay in each warehouse of the listing, instead of what the warehouse keeps back.",
    )
    warehouses: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Codes of those that it sells from, of its channel's at its location."
    )
    frozen: bool | None = strawberry.field(default=strawberry.UNSET, description="Off sale on this channel alone.")


@strawberry.input
class ListingPolicySetInput:
    channel: str
    lines: list[ListingPolicyLine]
    idempotency_key: str | None = None


@strawberry.input
class ListingResyncInput:
    channel: str
    lines: list[ListingLine] | None = strawberry.field(default=None, description="Left out: everything it lists.")
    idempotency_key: str | None = None


@strawberry.input
class SkuFreezeInput:
    sku: str
    idempotency_key: str | None = None


@strawberry.input
class SkuUnfreezeInput:
    sku: str
    idempotency_key: str | None = None


@strawberry.type
class ListingsPayload:
    user_errors: list[UserError]
    listings: list[Listing] = strawberry.field(default_factory=list)


@strawberry.type
class ListingLinkPayload(ListingsPayload): ...


@strawberry.type
class ListingPolicySetPayload(ListingsPayload): ...


@strawberry.type
class ListingResyncPayload(ListingsPayload):
    count: int | None = strawberry.field(default=None, description="How many will be looked at and told again.")


@strawberry.type
class ListingUnlinkPayload:
    user_errors: list[UserError]
    unlinked: list[strawberry.ID] = strawberry.field(default_factory=list, description="Ids that are no more.")


@strawberry.type
class SkuFreezePayload(ListingsPayload):
    sku: Sku | None = strawberry.field(
        default=None,
        description="Its listings show 0 as soon as each channel acknowledged that: `acknowledged`, "
        "`lastAcknowledgedAt` and the state FROZEN say so, here and in listingChanged.",
    )


@strawberry.type
class SkuUnfreezePayload(ListingsPayload):
    sku: Sku | None = None


async def listings_from_answer(context: Context, made: dict[str, Any]) -> list[Listing]:
    rows = made["listings"]
    channels = {row["c_id"]: channel_from_row(row) for row in made["channels"]}
    found = await read_skus_by_ids(context.state.database, sorted({row["sku_id"] for row in rows}))
    skus = {row["s_id"]: sku_from_row(row) for row in found}
    return [make_listing(row, channels[row["channel_id"]], skus[row["sku_id"]]) for row in rows]


def _names(lines: list[ListingLine]) -> list[ListingName]:
    return [ListingName(line.sku, line.location) for line in lines]


async def _link(context: Context, command: ListingLinkInput) -> dict[str, Any]:
    lines = [LinkLine(line.sku, line.external_id, line.location, line.reference) for line in command.lines]
    call = make_call(context.principal, "listing:link", command.idempotency_key, [command.channel, lines])
    made = await link_lines(context.state, context.principal, command.channel, lines, call)
    return {"listings": await listings_from_answer(context, made)}


async def _unlink(context: Context, command: ListingUnlinkInput) -> dict[str, Any]:
    names = _names(command.lines)
    call = make_call(context.principal, "listing:unlink", command.idempotency_key, [command.channel, names])
    made = await unlink_lines(context.state, context.principal, command.channel, names, call)
    return {"unlinked": [strawberry.ID(encode_id("Listing", one)) for one in made["unlinked"]]}


async def _set_policy(context: Context, command: ListingPolicySetInput) -> dict[str, Any]:
    lines = [PolicyLine(ListingName(line.sku, line.location), _policy(line)) for line in command.lines]
    call = make_call(context.principal, "listing:policy", command.idempotency_key, [command.channel, lines])
    made = await set_policy(context.state, context.principal, command.channel, lines, call)
    return {"listings": await listings_from_answer(context, made)}


def _policy(line: ListingPolicyLine) -> dict[str, Any]:
    values = {name: getattr(line, name) for name in (*LISTING_POLICY, "frozen")}
    return {name: value for name, value in values.items() if value is not strawberry.UNSET}


async def _resync(context: Context, command: ListingResyncInput) -> dict[str, Any]:
    names = None if command.lines is None else _names(command.lines)
    call = make_call(context.principal, "listing:resync", command.idempotency_key, [command.channel, names])
    made = await resync_lines(context.state, context.principal, command.channel, names, call)
    return {"count": made["count"], "listings": await listings_from_answer(context, made)}


async def _freeze(context: Context, command: Any, *, frozen: bool) -> dict[str, Any]:
    call = make_call(context.principal, f"sku:freeze:{frozen}", command.idempotency_key, command.sku)
    made = await freeze_sku(context.state, context.principal, command.sku, call, frozen=frozen)
    (row,) = await read_skus_by_ids(context.state.database, [made["sku_id"]])
    return {"sku": sku_from_row(row), "listings": await listings_from_answer(context, made)}


@strawberry.type
class ListingMutation:
    @strawberry.mutation(directives=RUNNERS)
    async def listing_link(self, info: Info, input: ListingLinkInput) -> ListingLinkPayload:
        return await answer(ListingLinkPayload, _link(info.context, input))

    @strawberry.mutation(
        directives=RUNNERS,
        description="Tell the channel nothing of them any more. It keeps showing what it shows: freeze first to take "
        "them off sale.",
    )
    async def listing_unlink(self, info: Info, input: ListingUnlinkInput) -> ListingUnlinkPayload:
        return await answer(ListingUnlinkPayload, _unlink(info.context, input))

    @strawberry.mutation(directives=RUNNERS)
    async def listing_policy_set(self, info: Info, input: ListingPolicySetInput) -> ListingPolicySetPayload:
        return await answer(ListingPolicySetPayload, _set_policy(info.context, input))

    @strawberry.mutation(
        directives=RUNNERS, description="Look what the channel shows and tell it again, also what it refused before."
    )
    async def listing_resync(self, info: Info, input: ListingResyncInput) -> ListingResyncPayload:
        return await answer(ListingResyncPayload, _resync(info.context, input))

    @strawberry.mutation(directives=RUNNERS, description="Off every channel at once, before anything else is sent.")
    async def sku_freeze(self, info: Info, input: SkuFreezeInput) -> SkuFreezePayload:
        return await answer(SkuFreezePayload, _freeze(info.context, input, frozen=True))

    @strawberry.mutation(directives=RUNNERS)
    async def sku_unfreeze(self, info: Info, input: SkuUnfreezeInput) -> SkuUnfreezePayload:
        return await answer(SkuUnfreezePayload, _freeze(info.context, input, frozen=False))
