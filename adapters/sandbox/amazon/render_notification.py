"""The published envelopes of the notifications this marketplace sends."""

from __future__ import annotations

import uuid
from typing import Any

from adapters.sandbox.amazon.config import MarketConfig
from adapters.sandbox.amazon.state import Feed, Listing, Order, now, write_time

APPLICATION_ID = "amzn1.sellerapps.app.sandbox"
STATUS_WORDS = {
    "PENDING": "Pending",
    "UNSHIPPED": "Unshipped",
    "PARTIALLY_SHIPPED": "PartiallyShipped",
    "SHIPPED": "Shipped",
    "CANCELLED": "Canceled",
}


def _metadata(subscription: str) -> dict[str, str]:
    return {
        "ApplicationId": APPLICATION_ID,
        "SubscriptionId": subscription,
        "PublishTime": write_time(now()),
        "NotificationId": str(uuid.uuid4()),
    }


def _lower(raw: dict[str, Any]) -> dict[str, Any]:
    return {name[:1].lower() + name[1:]: value for name, value in raw.items()}


def render_quantity_change(config: MarketConfig, listing: Listing, quantity: int) -> dict[str, Any]:
    """It does not say who wrote: our own writes echo."""
    return {
        "NotificationVersion": "1.0",
        "NotificationType": "LISTINGS_ITEM_MFN_QUANTITY_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": write_time(now()),
        "Payload": {
            "SellerId": config.seller_id,
            "FulfillmentChannelCode": config.fulfillment_channel,
            "Sku": listing.sku,
            "Quantity": quantity,
        },
        "NotificationMetadata": _metadata("sandbox-quantities"),
    }


def render_order_change(config: MarketConfig, order: Order, change: str, reason: str) -> dict[str, Any]:
    """`change`: OrderStatusChange or BuyerRequestedChange."""
    return {
        "NotificationVersion": "1.0",
        "NotificationType": "ORDER_CHANGE",
        "PayloadVersion": "1.0",
        "EventTime": write_time(now()),
        "Payload": {
            "OrderChangeNotification": {
                "NotificationLevel": "OrderLevel",
                "SellerId": config.seller_id,
                "AmazonOrderId": order.order_id,
                "OrderChangeType": change,
                "OrderChangeTrigger": {"TimeOfOrderChange": write_time(order.updated_at), "ChangeReason": reason},
                "Summary": _summarize(config, order),
            }
        },
        "NotificationMetadata": _metadata("sandbox-orders"),
    }


def _summarize(config: MarketConfig, order: Order) -> dict[str, Any]:
    asked = order.cancel_reason is not None and order.cancelled_by is None
    shown = order.status != "PENDING" and order.address is not None
    return {
        "MarketplaceId": config.marketplace_id,
        "OrderStatus": STATUS_WORDS[order.status],
        "PurchaseDate": write_time(order.created_at),
        "DestinationPostalCode": (order.address or {}).get("postalCode") if shown else None,
        "FulfillmentType": "MFN",
        "OrderType": "StandardOrder",
        "NumberOfItemsShipped": sum(line.shipped for line in order.lines),
        "NumberOfItemsUnshipped": sum(line.quantity - line.shipped for line in order.lines),
        "EarliestShipDate": write_time(order.created_at),
        "LatestShipDate": write_time(order.ship_by),
        "OrderItems": [
            {
                "OrderItemId": line.item_id,
                "SellerSKU": line.sku,
                "SupplySourceId": None,
                "Quantity": line.quantity,
                "QuantityShipped": line.shipped,
                "IsBuyerRequestedCancel": asked,
            }
            for line in order.lines
        ],
    }


def render_feed_finished(config: MarketConfig, feed: Feed) -> dict[str, Any]:
    finished = {
        "sellerId": config.seller_id,
        "accountId": f"amzn1.merchant.o.{config.seller_id}",
        "feedId": feed.feed_id,
        "feedType": feed.feed_type,
        "processingStatus": feed.status,
    }
    if feed.result_document is not None:
        finished["resultFeedDocumentId"] = feed.result_document
    return {
        "notificationVersion": "2020-09-04",
        "notificationType": "FEED_PROCESSING_FINISHED",
        "payloadVersion": "2020-09-04",
        "eventTime": write_time(now()),
        "payload": {"feedProcessingFinishedNotification": finished},
        "notificationMetadata": _lower(_metadata("sandbox-feeds")),
    }
