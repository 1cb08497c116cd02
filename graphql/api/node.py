"""`node(id)`: anything by its global id, if the caller may see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import strawberry

from api.alerts.fields import READERS, delivery_from_row, rule_from_row
from api.channels.types import attempt_from_row, channel_from_row, listing_from_row
from api.context import Context, Info
from api.counts.types import count_from_row
from api.directives import EVERYONE, STAFF, Requires, check_requirement, requires
from api.exceptions.types import case_from_row, inbound_event_from_row
from api.floor.approvals import adjustment_from_row
from api.floor.damage import damage_from_row
from api.floor.return_types import return_from_row
from api.floor.transfer_types import transfer_from_row
from api.fulfillment.pick_lists import list_from_row
from api.fulfillment.types import parcel_from_row, work_from_row
from api.identity.fields import KEEPERS, token_from_answer
from api.ids import BIGINT_MAX, decode_id, decode_numbers, decode_uuid
from api.orders.types import order_from_row
from api.partners.fields import READERS as PARTNER_READERS
from api.partners.snapshots import READERS as SNAPSHOT_READERS
from api.partners.snapshots import snapshot_from_row
from api.partners.types import event_from_row as partner_event_from_row
from api.partners.types import partner_from_row
from api.replenishment.types import (
    alert_from_row,
    policy_from_row,
    purchase_from_row,
    request_from_row,
    supplier_from_row,
)
from api.stock.types import (
    Node,
    level_from_row,
    movement_from_row,
    reservation_from_answer,
    sku_from_row,
    warehouse_from_row,
)
from app.alerts.read_rules import read_delivery, read_rule
from app.approvals.read_adjustments import read_adjustment
from app.catalog.read_catalog import read_skus_by_ids, read_warehouses_by_ids
from app.channels.read_attempts import read_attempt
from app.channels.read_channels import read_channels_by_ids
from app.channels.read_listings import read_listing
from app.channels.reprocess_event import read_event
from app.channels.see_channels import see_channels
from app.counts.read_counts import read_count
from app.damage.read_damages import read_damage
from app.exceptions.read_cases import read_case
from app.fulfillment.change_parcel import read_parcel
from app.fulfillment.make_list import read_list
from app.fulfillment.read_work import read_work
from app.identity.use_tokens import show_token
from app.orders.read_orders import read_order
from app.partners.read_partners import read_event as read_partner_event
from app.partners.read_partners import read_partner
from app.partners.read_snapshots import read_snapshot
from app.replenishment.read_purchases import read_alerts_by_ids, read_purchase, read_supplier
from app.replenishment.read_requests import RequestFilter, read_policies, read_request
from app.returns.read_returns import read_return
from app.stock.read_reservation import read_reservation
from app.stock.read_stock import read_levels_by_keys, read_movements_by_ids
from app.transfers.read_transfers import read_transfer
from domain.errors import Refusal

Find = Callable[[Context, str], Awaitable[Any]]


async def _sku(context: Context, id: str) -> Any:
    rows = await read_skus_by_ids(context.state.database, list(decode_numbers(id, "Sku")))
    return sku_from_row(rows[0]) if rows else None


async def _warehouse(context: Context, id: str) -> Any:
    (key,) = decode_numbers(id, "Warehouse")
    rows = await read_warehouses_by_ids(context.state.database, [key])
    return warehouse_from_row(rows[0]) if rows and context.principal.sees_warehouse(key) else None


async def _level(context: Context, id: str) -> Any:
    sku_id, warehouse_id = decode_numbers(id, "StockLevel", 2)
    rows = await read_levels_by_keys(context.state.database, [(sku_id, warehouse_id)])
    return level_from_row(rows[0]) if rows and context.principal.sees_warehouse(warehouse_id) else None


async def _movement(context: Context, id: str) -> Any:
    keys = decode_numbers(id, "StockMovement", limit=BIGINT_MAX)
    rows = await read_movements_by_ids(context.state.database, list(keys))
    return movement_from_row(rows[0]) if rows and context.principal.sees_warehouse(rows[0]["w_id"]) else None


async def _reservation(context: Context, id: str) -> Any:
    answer = await read_reservation(context.state.database, context.principal, decode_uuid(id, "Reservation"))
    return None if answer is None else reservation_from_answer(answer)


async def _order(context: Context, id: str) -> Any:
    row = await read_order(context.state.database.hot, context.principal, decode_uuid(id, "Order"))
    return None if row is None else order_from_row(row)


async def _transfer(context: Context, id: str) -> Any:
    row = await read_transfer(context.state.database, context.principal, decode_uuid(id, "Transfer"))
    return None if row is None else transfer_from_row(row)


async def _return(context: Context, id: str) -> Any:
    row = await read_return(context.state.database, context.principal, decode_uuid(id, "Return"))
    return None if row is None else return_from_row(row)


async def _damage(context: Context, id: str) -> Any:
    row = await read_damage(context.state.database, context.principal, decode_uuid(id, "Damage"))
    return None if row is None else damage_from_row(row)


async def _adjustment(context: Context, id: str) -> Any:
    row = await read_adjustment(context.state.database, context.principal, decode_uuid(id, "Adjustment"))
    return None if row is None else adjustment_from_row(row)


async def _token(context: Context, id: str) -> Any:
    answer = await show_token(context.state, context.principal, decode_uuid(id, "Token"))
    return None if answer is None else token_from_answer(answer)


async def _channel(context: Context, id: str) -> Any:
    (key,) = decode_numbers(id, "Channel")
    visible = await see_channels(context.state.database.hot, context.principal)
    if visible is not None and key not in visible:
        return None
    rows = await read_channels_by_ids(context.state.database.hot, [key])
    return channel_from_row(rows[0]) if rows else None


async def _listing(context: Context, id: str) -> Any:
    (key,) = decode_numbers(id, "Listing", limit=BIGINT_MAX)
    row = await read_listing(context.state.database, context.principal, key)
    return None if row is None else listing_from_row(row)


async def _attempt(context: Context, id: str) -> Any:
    (key,) = decode_numbers(id, "SyncAttempt", limit=BIGINT_MAX)
    row = await read_attempt(context.state.database, context.principal, key)
    return None if row is None else attempt_from_row(row)


async def _case(context: Context, id: str) -> Any:
    row = await read_case(context.state.database, context.principal, decode_uuid(id, "ExceptionCase"))
    return None if row is None else case_from_row(row)


async def _event(context: Context, id: str) -> Any:
    (key,) = decode_numbers(id, "InboundEvent", limit=BIGINT_MAX)
    row = await read_event(context.state.database.hot, context.principal, key)
    return None if row is None else inbound_event_from_row(row)


async def _rule(context: Context, id: str) -> Any:
    (key,) = decode_numbers(id, "AlertRule")
    row = await read_rule(context.state, context.principal, key)
    return None if row is None else rule_from_row(row)


async def _delivery(context: Context, id: str) -> Any:
    row = await read_delivery(context.state.database, context.principal, decode_uuid(id, "AlertDelivery"))
    return None if row is None else delivery_from_row(row)


async def _count(context: Context, id: str) -> Any:
    row = await read_count(context.state.database.hot, context.principal, decode_uuid(id, "Count"))
    return None if row is None else count_from_row(row)


async def _work(context: Context, id: str) -> Any:
    row = await read_work(context.state.database, context.principal, decode_uuid(id, "FulfillmentOrder"))
    return None if row is None else work_from_row(row)


async def _list(context: Context, id: str) -> Any:
    row = await read_list(context.state.database, context.principal, decode_uuid(id, "PickList"))
    return None if row is None else list_from_row(row)


async def _parcel(context: Context, id: str) -> Any:
    row = await read_parcel(context.state.database, context.principal, decode_uuid(id, "Fulfillment"))
    return None if row is None else parcel_from_row(row)


async def _policy(context: Context, id: str) -> Any:
    sku_id, warehouse_id = decode_numbers(id, "ReplenishmentPolicy", 2)
    before = (sku_id, warehouse_id - 1)
    rows = await read_policies(context.state.database.hot, context.principal, RequestFilter(), before, 1)
    found = [row for row in rows if (row["sku_id"], row["warehouse_id"]) == (sku_id, warehouse_id)]
    return policy_from_row(found[0]) if found else None


async def _request(context: Context, id: str) -> Any:
    key = decode_uuid(id, "ReplenishmentRequest")
    row = await read_request(context.state.database.hot, context.principal, key)
    return None if row is None else request_from_row(row)


async def _supplier(context: Context, id: str) -> Any:
    row = await read_supplier(context.state.database.hot, *decode_numbers(id, "Supplier"))
    return None if row is None else supplier_from_row(row)


async def _purchase(context: Context, id: str) -> Any:
    row = await read_purchase(context.state.database.hot, context.principal, decode_uuid(id, "PurchaseOrder"))
    return None if row is None else purchase_from_row(row)


async def _alert(context: Context, id: str) -> Any:
    rows = await read_alerts_by_ids(context.state.database.hot, [decode_uuid(id, "WarehouseAlert")])
    return alert_from_row(rows[0]) if rows and context.principal.sees_warehouse(rows[0]["warehouse_id"]) else None


async def _partner(context: Context, id: str) -> Any:
    (key,) = decode_numbers(id, "Partner")
    row = await read_partner(context.state, context.principal, key)
    return None if row is None else partner_from_row(row)


async def _snapshot(context: Context, id: str) -> Any:
    row = await read_snapshot(context.state.database, context.principal, decode_uuid(id, "PartnerSnapshot"))
    return None if row is None else snapshot_from_row(row)


async def _partner_event(context: Context, id: str) -> Any:
    row = await read_partner_event(context.state.database, context.principal, decode_uuid(id, "PartnerEvent"))
    return None if row is None else partner_event_from_row(row)


_STOCK = Requires(roles=EVERYONE, scope="stock:read")
_CHANNELS = Requires(roles=EVERYONE, scope="channels:read")
_FULFILLMENT = Requires(roles=EVERYONE, scope="fulfillment:read")
_ALERTS = Requires(roles=READERS, scope="channels:read")
_FLOOR = Requires(roles=STAFF, scope="stock:read")
_PARTNERS = Requires(roles=PARTNER_READERS, scope="fulfillment:read")
KINDS: dict[str, tuple[Requires, Find]] = {
    "Sku": (_STOCK, _sku),
    "Warehouse": (_STOCK, _warehouse),
    "StockLevel": (_STOCK, _level),
    "StockMovement": (_STOCK, _movement),
    "Reservation": (_STOCK, _reservation),
    "Channel": (_CHANNELS, _channel),
    "Listing": (_CHANNELS, _listing),
    "SyncAttempt": (_CHANNELS, _attempt),
    "ExceptionCase": (_CHANNELS, _case),
    "InboundEvent": (_CHANNELS, _event),
    "AlertRule": (_ALERTS, _rule),
    "AlertDelivery": (_ALERTS, _delivery),
    "Count": (_FLOOR, _count),
    "ReplenishmentPolicy": (_FLOOR, _policy),
    "ReplenishmentRequest": (_FLOOR, _request),
    "Supplier": (_FLOOR, _supplier),
    "PurchaseOrder": (_FLOOR, _purchase),
    "WarehouseAlert": (_FLOOR, _alert),
    "Order": (Requires(roles=EVERYONE, scope="orders:read"), _order),
    "Transfer": (_STOCK, _transfer),
    "Return": (_STOCK, _return),
    "Damage": (_STOCK, _damage),
    "Adjustment": (Requires(roles=STAFF, scope="stock:read"), _adjustment),
    "FulfillmentOrder": (_FULFILLMENT, _work),
    "Fulfillment": (_FULFILLMENT, _parcel),
    "Partner": (_PARTNERS, _partner),
    "PartnerSnapshot": (Requires(roles=SNAPSHOT_READERS, scope="stock:read"), _snapshot),
    "PartnerEvent": (_PARTNERS, _partner_event),
    "PickList": (_FULFILLMENT, _list),
    "Token": (Requires(roles=KEEPERS, scope="tokens:write"), _token),
}
"""What each type needs on top of `node` itself, and how it is found."""


@strawberry.type
class NodeQuery:
    @strawberry.field(
        directives=requires(EVERYONE),
        description="Anything by its id, with the roles and the scope that its own queries need. Null: there is none.",
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        try:
            requirement, find = KINDS[decode_id(id)[0]]
            check_requirement(requirement, info.context.principal, "node")
            found: Node | None = await find(info.context, id)
        except (Refusal, KeyError):
            return None
        return found
