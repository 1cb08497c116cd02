"""The schema: every area's fields, each guarded by the directive it prints."""

from __future__ import annotations

import strawberry
from graphql import GraphQLSchema
from strawberry.schema.config import StrawberryConfig

from api.alerts.fields import AlertMutation, AlertQuery
from api.bins.fields import BinMutation, BinQuery
from api.channels.change_channel import ChannelMutation
from api.channels.change_listings import ListingMutation
from api.channels.changes import ChangeQuery
from api.channels.match_listings import MatchMutation
from api.channels.queries import ChannelQuery
from api.channels.subscriptions import ChannelSubscription
from api.counts.change_counts import CountMutation
from api.counts.queries import CountQuery
from api.directives import Requires, install_guard
from api.exceptions.act import ExceptionMutation
from api.exceptions.queries import ExceptionQuery
from api.exceptions.subscriptions import ExceptionSubscription
from api.floor.approvals import ApprovalMutation, ApprovalQuery
from api.floor.batch import FloorBatchMutation
from api.floor.damage import DamageMutation, DamageQuery
from api.floor.exchange import ExchangeMutation
from api.floor.returns import ReturnMutation, ReturnQuery
from api.floor.scan import ScanQuery
from api.floor.subscriptions import FloorSubscription
from api.floor.transfers import TransferMutation, TransferQuery
from api.fulfillment.act import FloorMutation
from api.fulfillment.bins import ShelfMutation, ShelfQuery
from api.fulfillment.pick_lists import PickListMutation, PickListQuery
from api.fulfillment.plan import PlanMutation
from api.fulfillment.queries import FulfillmentQuery
from api.fulfillment.subscriptions import QueueSubscription
from api.identity.fields import IdentityMutation, IdentityQuery, Token
from api.kits.fields import KitMutation, KitQuery
from api.node import NodeQuery
from api.orders.change_order import OrderMutation
from api.orders.fields import OrderQuery
from api.orders.subscriptions import OrderSubscription
from api.partners.fields import PartnerMutation, PartnerQuery
from api.partners.snapshots import SnapshotMutation, SnapshotQuery
from api.replenishment.change_purchases import PurchaseMutation
from api.replenishment.change_requests import ReplenishmentMutation
from api.replenishment.queries import ReplenishmentQuery
from api.replenishment.subscriptions import ReplenishmentSubscription
from api.routing.change_routing import RoutingMutation
from api.routing.queries import RoutingQuery
from api.scalars import SCALARS
from api.stock.move_stock import MovementMutation
from api.stock.queries import StockQuery
from api.stock.reserve_stock import ReservationMutation
from api.stock.save_catalog import CatalogMutation
from api.stock.set_safety_stock import SafetyStockMutation
from api.stock.subscriptions import StockSubscription


@strawberry.type
class Query(
    StockQuery,
    ChannelQuery,
    ChangeQuery,
    ExceptionQuery,
    AlertQuery,
    OrderQuery,
    FulfillmentQuery,
    RoutingQuery,
    PickListQuery,
    ShelfQuery,
    CountQuery,
    TransferQuery,
    ReturnQuery,
    DamageQuery,
    ApprovalQuery,
    ScanQuery,
    ReplenishmentQuery,
    PartnerQuery,
    SnapshotQuery,
    BinQuery,
    KitQuery,
    IdentityQuery,
    NodeQuery,
): ...


@strawberry.type
class Mutation(
    CatalogMutation,
    MovementMutation,
    SafetyStockMutation,
    ReservationMutation,
    ChannelMutation,
    ListingMutation,
    MatchMutation,
    ExceptionMutation,
    OrderMutation,
    AlertMutation,
    RoutingMutation,
    CountMutation,
    TransferMutation,
    ReturnMutation,
    ExchangeMutation,
    DamageMutation,
    ApprovalMutation,
    FloorBatchMutation,
    FloorMutation,
    PlanMutation,
    ReplenishmentMutation,
    PurchaseMutation,
    PartnerMutation,
    BinMutation,
    SnapshotMutation,
    PickListMutation,
    ShelfMutation,
    KitMutation,
    IdentityMutation,
): ...


@strawberry.type
class Subscription(
    StockSubscription,
    ChannelSubscription,
    ExceptionSubscription,
    OrderSubscription,
    FloorSubscription,
    ReplenishmentSubscription,
    QueueSubscription,
): ...


schema = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[Token],
    config=StrawberryConfig(scalar_map=SCALARS, sort_schema=False),
)
core: GraphQLSchema = schema._schema
REQUIREMENTS: dict[tuple[str, str], Requires] = {
    (parent.name, name): install_guard(parent, name, field)
    for parent in (core.query_type, core.mutation_type, core.subscription_type)
    if parent is not None
    for name, field in parent.fields.items()
}


def print_sdl() -> str:
    """The SDL as it is committed in `graphql/schema.graphql`."""
    return schema.as_str().rstrip() + "\n"
