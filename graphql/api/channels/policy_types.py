"""What is published of what there is: a channel's policy, and what a listing has instead."""

from __future__ import annotations

import strawberry

_POLICY = ("buffer", "share_percent", "maximum", "minimum", "multiple")
LISTING_POLICY = (*_POLICY, "safety_stock", "warehouses")
CHANNEL_POLICY = (*_POLICY, "adaptive", "safety_stock", "frozen")


@strawberry.type(description="What is published of what a channel may sell. Units unless said otherwise.")
class ChannelPolicy:
    buffer: int = strawberry.field(description="Never published.")
    share_percent: int = strawberry.field(description="Of what its warehouses hold above safety stock.")
    maximum: int | None = strawberry.field(description="Published at most.")
    minimum: int = strawberry.field(description="Below it nothing is published.")
    multiple: int = strawberry.field(description="Rounded down to a multiple of it.")
    adaptive: bool = strawberry.field(description="A further buffer follows from measured lag and velocity.")
    safety_stock: int | None = strawberry.field(
        description="Stays in each of its warehouses; null: what `StockLevel.safetyStock` says."
    )
    frozen: bool = strawberry.field(description="All of it is off sale: 0 is published.")


@strawberry.type(description="What a listing has instead of its channel's policy; null: the channel's.")
class ListingPolicy:
    buffer: int | None
    share_percent: int | None
    maximum: int | None
    minimum: int | None
    multiple: int | None
    safety_stock: int | None = strawberry.field(
        description="Stays in each of its warehouses; null: the channel's, and what `StockLevel.safetyStock` says."
    )
    warehouses: list[str] | None = strawberry.field(
        description="Codes; one that its channel sells from no more counts for nothing."
    )
