"""What `oversellExposure` answers."""

from __future__ import annotations

import strawberry

from api.channels.types import Listing, listings_from_rows
from api.context import Info
from api.directives import Cost
from app.channels.measure_exposure import WORST_MAX, measure_joint_exposure, read_worst_exposed


@strawberry.type
class ChannelExposure:
    channel: str
    units: int
    listings: int = strawberry.field(description="How many are exposed.")


@strawberry.type(description="Units that channels may sell right now and that are not there, in the worst case.")
class OversellExposure:
    units: int
    listings: int
    channels: list[ChannelExposure]
    chosen: strawberry.Private[tuple[str | None, list[str] | None]]

    @strawberry.field(
        directives=[Cost(weight=100)],
        description="If every channel sold all that it may at the same moment: what several show is there only once. "
        "A kit counts as the units of its components.",
    )
    async def joint_units(self, info: Info) -> int:
        context = info.context
        return await measure_joint_exposure(context.state.database, context.principal, *self.chosen)

    @strawberry.field(directives=[Cost(weight=100)], description=f"The {WORST_MAX} most exposed listings.")
    async def worst(self, info: Info) -> list[Listing]:
        context = info.context
        return listings_from_rows(await read_worst_exposed(context.state.database, context.principal, *self.chosen))
