"""`channelConnect`, `channelUpdate`, `channelGoLive`, `channelPause` and `channelResume`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from api.answer import answer
from api.channels.connection_inputs import (
    AmazonConnection,
    AmazonConnectionChange,
    B2bConnection,
    EbayConnection,
    EbayConnectionChange,
    ShopifyConnection,
    ShopifyConnectionChange,
    read_connections,
)
from api.channels.policy_types import CHANNEL_POLICY
from api.channels.types import Channel, SourceStatus, channel_from_row
from api.context import Context, Info
from api.directives import requires
from api.scalars import UserError
from app.calls import make_call
from app.channels.save_channel import ChannelChange, ChannelSource, create_channel, update_channel
from app.channels.switch_channel import pause_channel, resume_channel, take_live
from domain.identity import Role

KEEPERS = requires([Role.ADMIN, Role.ENGINEER, Role.ECOMMERCE], "channels:write")
RUNNERS = requires([Role.ADMIN, Role.ENGINEER, Role.ECOMMERCE, Role.OPERATIONS], "channels:write")
Switch = Callable[..., Awaitable[dict[str, Any]]]


@strawberry.input
class ChannelWarehouseInput:
    warehouse: str = strawberry.field(description="Code.")
    location: str = strawberry.field(
        default="", description="Which of the channel's locations shows its stock; empty: the channel has one pool."
    )
    status: SourceStatus = SourceStatus.LIVE


@strawberry.input(description="Exactly one of shopify, amazon, ebay and b2b.")
class ChannelConnectInput:
    code: str
    name: str
    warehouses: list[ChannelWarehouseInput]
    shopify: ShopifyConnection | None = None
    amazon: AmazonConnection | None = None
    ebay: EbayConnection | None = None
    b2b: B2bConnection | None = None
    buffer: int = 0
    share_percent: int = 100
    maximum: int | None = None
    minimum: int = 0
    multiple: int = 1
    adaptive: bool = False
    safety_stock: int | None = None
    frozen: bool = False
    idempotency_key: str | None = None


@strawberry.input(
    description="What is left out keeps its value. `warehouses` are all of them; the connection must be of its kind."
)
class ChannelUpdateInput:
    channel: str
    name: str | None = strawberry.UNSET
    warehouses: list[ChannelWarehouseInput] | None = None
    shopify: ShopifyConnectionChange | None = None
    amazon: AmazonConnectionChange | None = None
    ebay: EbayConnectionChange | None = None
    b2b: B2bConnection | None = None
    buffer: int | None = strawberry.UNSET
    share_percent: int | None = strawberry.UNSET
    maximum: int | None = strawberry.field(default=strawberry.UNSET, description="Null: no maximum.")
    minimum: int | None = strawberry.UNSET
    multiple: int | None = strawberry.UNSET
    adaptive: bool | None = strawberry.UNSET
    safety_stock: int | None = strawberry.field(
        default=strawberry.UNSET, description="Null: what `StockLevel.safetyStock` says."
    )
    frozen: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Takes all of the channel off sale, in the lane of zeros, and puts it back.",
    )
    idempotency_key: str | None = None


@strawberry.input
class ChannelGoLiveInput:
    channel: str
    idempotency_key: str | None = None


@strawberry.input
class ChannelPauseInput:
    channel: str
    idempotency_key: str | None = None


@strawberry.input
class ChannelResumeInput:
    channel: str
    idempotency_key: str | None = None


@strawberry.type
class ChannelPayload:
    user_errors: list[UserError]
    channel: Channel | None = None


@strawberry.type
class ChannelConnectPayload(ChannelPayload): ...


@strawberry.type
class ChannelUpdatePayload(ChannelPayload): ...


@strawberry.type
class ChannelGoLivePayload(ChannelPayload):
    right: int | None = strawberry.field(
        default=None, description="Listings lately seen to show what they should: acknowledged, and not sent."
    )
    different: int | None = strawberry.field(default=None, description="Listings that will be told.")


@strawberry.type
class ChannelPausePayload(ChannelPayload): ...


@strawberry.type
class ChannelResumePayload(ChannelPayload): ...


def _change(command: Any, code: str) -> ChannelChange:
    names = ("name", *CHANNEL_POLICY)
    values = {name: getattr(command, name) for name in names if getattr(command, name) is not strawberry.UNSET}
    sources = None
    if command.warehouses is not None:
        sources = [ChannelSource(one.warehouse, one.location, one.status.value) for one in command.warehouses]
    return ChannelChange(code, values, sources, read_connections(command))


async def _connect(context: Context, command: ChannelConnectInput) -> dict[str, Any]:
    wanted = _change(command, command.code)
    call = make_call(context.principal, "channel:connect", command.idempotency_key, _plain(wanted))
    made = await create_channel(context.state, context.principal, wanted, call)
    return {"channel": channel_from_row(made["channel"])}


async def _update(context: Context, command: ChannelUpdateInput) -> dict[str, Any]:
    wanted = _change(command, command.channel)
    call = make_call(context.principal, "channel:update", command.idempotency_key, _plain(wanted))
    made = await update_channel(context.state, context.principal, wanted, call)
    return {"channel": channel_from_row(made["channel"])}


def _plain(wanted: ChannelChange) -> list[Any]:
    """Of credentials only a digest is ever kept."""
    given = [(one.kind, one.config, one.secrets) for one in wanted.connections if one is not None]
    return [wanted.code, wanted.values, wanted.sources, given]


async def _switch(context: Context, switch: Switch, name: str, command: Any) -> dict[str, Any]:
    call = make_call(context.principal, f"channel:{name}", command.idempotency_key, command.channel)
    made = await switch(context.state, context.principal, command.channel, call)
    return {**made, "channel": channel_from_row(made["channel"])}


@strawberry.type
class ChannelMutation:
    @strawberry.mutation(directives=KEEPERS, description="Connect a channel. It is SHADOW until channelGoLive.")
    async def channel_connect(self, info: Info, input: ChannelConnectInput) -> ChannelConnectPayload:
        return await answer(ChannelConnectPayload, _connect(info.context, input))

    @strawberry.mutation(directives=KEEPERS)
    async def channel_update(self, info: Info, input: ChannelUpdateInput) -> ChannelUpdatePayload:
        return await answer(ChannelUpdatePayload, _update(info.context, input))

    @strawberry.mutation(directives=KEEPERS, description="From SHADOW to LIVE: what differs is told from now on.")
    async def channel_go_live(self, info: Info, input: ChannelGoLiveInput) -> ChannelGoLivePayload:
        return await answer(ChannelGoLivePayload, _switch(info.context, take_live, "goLive", input))

    @strawberry.mutation(directives=RUNNERS, description="Send nothing until it is resumed.")
    async def channel_pause(self, info: Info, input: ChannelPauseInput) -> ChannelPausePayload:
        return await answer(ChannelPausePayload, _switch(info.context, pause_channel, "pause", input))

    @strawberry.mutation(directives=RUNNERS, description="Send again: the latest numbers, nothing in between.")
    async def channel_resume(self, info: Info, input: ChannelResumeInput) -> ChannelResumePayload:
        return await answer(ChannelResumePayload, _switch(info.context, resume_channel, "resume", input))
