"""`listingsMatch`."""

from __future__ import annotations

from typing import Any

import strawberry

from api.answer import answer
from api.channels.change_channel import RUNNERS
from api.channels.change_listings import ListingsPayload, listings_from_answer
from api.context import Context, Info
from api.errors import ApiError, ErrorCode
from app.calls import make_call
from app.channels.match_listings import match_listings, read_items
from domain.errors import Fault

READ_SECONDS = 8.0
ITEMS_MAX = 5_000


@strawberry.input
class ListingsMatchInput:
    channel: str
    dry_run: bool = strawberry.field(default=False, description="Say what would be linked, and link nothing.")
    after: str | None = strawberry.field(default=None, description="The `cursor` of the answer before this one.")
    idempotency_key: str | None = None


@strawberry.type(description="Something the channel lists that a person must look at.")
class UnmatchedItem:
    external_id: str
    location: str
    sku: str | None = strawberry.field(description="As the channel has it.")
    barcode: str | None
    title: str | None
    reason: str


@strawberry.type
class ListingsMatchPayload(ListingsPayload):
    linked: int | None = strawberry.field(default=None, description="How many; `listings` are the first 1,000.")
    known: int | None = strawberry.field(default=None, description="How many were linked before.")
    review: list[UnmatchedItem] = strawberry.field(default_factory=list)
    cursor: str | None = strawberry.field(
        default=None, description="The channel lists more: go on with it as `after`. Null: that was everything."
    )


async def _match(context: Context, command: ListingsMatchInput) -> dict[str, Any]:
    wanted = [command.channel, command.dry_run, command.after]
    call = make_call(context.principal, "listings:match", command.idempotency_key, wanted)
    state, principal, channel = context.state, context.principal, command.channel
    try:
        found = await read_items(state, principal, channel, command.after or None, READ_SECONDS, ITEMS_MAX)
    except Fault as fault:
        raise ApiError(ErrorCode.UNAVAILABLE, f"The channel does not tell what it lists: {fault}") from fault
    made = await match_listings(
        state, principal, channel, found.items, call, dry_run=command.dry_run, cursor=found.cursor
    )
    review = [UnmatchedItem(**item) for item in made["review"]]
    counts = {name: made[name] for name in ("linked", "known", "cursor")}
    return {**counts, "review": review, "listings": await listings_from_answer(context, made)}


@strawberry.type
class MatchMutation:
    @strawberry.mutation(
        directives=RUNNERS,
        description="Link what the channel lists to SKUs of the same code or barcode, where there is no doubt; the "
        "rest is left to you, with reasons.",
    )
    async def listings_match(self, info: Info, input: ListingsMatchInput) -> ListingsMatchPayload:
        return await answer(ListingsMatchPayload, _match(info.context, input))
