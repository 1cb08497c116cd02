"""How one Amazon seller account is reached in one marketplace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

FEED_TYPE = "JSON_LISTINGS_FEED"


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket of the vendor's: requests per second, and how many at once."""

    per_second: float
    burst: float


# The usage plans published in the models. A seller may have been given more: what answers announce goes before them.
RATES: Mapping[str, Rate] = MappingProxyType(
    {
        "getListingsItem": Rate(5, 10),
        "patchListingsItem": Rate(5, 5),
        "searchListingsItems": Rate(5, 5),
        "createFeed": Rate(0.0083, 15),
        "createFeedDocument": Rate(0.5, 15),
        "getFeed": Rate(2, 15),
        "getFeedDocument": Rate(0.0222, 10),
        "searchOrders": Rate(0.0056, 20),
        "getOrder": Rate(0.5, 30),
        "confirmShipment": Rate(2, 10),
        "listReturns": Rate(0.5, 10),  # its model publishes none: a guess on the safe side
    }
)

# Carriers as shipments name them, in lower case. Others go as "Other" with their name.
CARRIERS: Mapping[str, str] = MappingProxyType({"fedex": "FedEx", "ups": "UPS", "usps": "USPS", "dhl": "DHL"})


@dataclass(frozen=True, slots=True)
class AmazonConnection:
    """The secrets stay out of its repr.

    `lwa_url`: where Login with Amazon gives tokens. `fulfillment_channel`: the code of the stock this connection
    writes; a listing stocked under another code (FBA's `AMAZON_NA`) is not touched. `product_type`: for listings whose
    own is not known. `feed_seconds`: how long a feed usually takes until it is applied, before one was measured.
    `external_returns`: the seller has External Fulfillment (SmartConnect), whose returns are listed.
    `search_lag_seconds`: how far searches for orders stay behind the clock; the vendor asks for two minutes.
    """

    seller_id: str
    marketplace_id: str
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    base_url: str = "https://sellingpartnerapi-na.amazon.com"
    lwa_url: str = "https://api.amazon.com"
    fulfillment_channel: str = "DEFAULT"
    product_type: str = "PRODUCT"
    rates: Mapping[str, Rate] = field(default_factory=lambda: RATES)
    carriers: Mapping[str, str] = field(default_factory=lambda: CARRIERS)
    feed_seconds: float = 300.0
    search_lag_seconds: float = 125.0
    external_returns: bool = False
