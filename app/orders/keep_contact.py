"""Who an order goes to: sealed as credentials are, apart from the order, so that it can be erased without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.fernet import InvalidToken

from adapters.channels.base import ChannelOrder
from app.channels.seal_credentials import read_keys
from app.settings import Settings

Contact = dict[str, Any]
"""`name`, `lines` of the street, `city`, `region`, `postal_code`, `country_code`, `email`, `phone`; what is known."""
KEPT_OF_DESTINATION = ("country", "region")
"""What is left of a destination when the contact is erased."""


def is_traceable(destination: Mapping[str, Any]) -> bool:
    """Whether it says more than may be kept when the contact is erased."""
    return not destination.keys() <= set(KEPT_OF_DESTINATION)


def read_contact(order: ChannelOrder) -> Contact:
    """What the channel said of the person; empty when it said nothing."""
    address = order.address
    found: Contact = {"email": order.email, "phone": order.phone}
    if address is not None:
        found |= {"name": address.name, "lines": list(address.lines), "city": address.city}
        found |= {"region": address.region, "postal_code": address.postal_code, "country_code": address.country_code}
    return {name: value for name, value in found.items() if value}


def seal_contact(settings: Settings, contact: Contact) -> bytes | None:
    """None for an empty one, and without a key: what cannot be sealed is not kept."""
    if not contact or not settings.secret_key:
        return None
    return read_keys(settings).encrypt(orjson.dumps(contact))


def open_contact(settings: Settings, sealed: bytes | None) -> Contact | None:
    """None when there is none, or no key opens it."""
    if sealed is None or not settings.secret_key:
        return None
    try:
        found: Contact = orjson.loads(read_keys(settings).decrypt(sealed))
    except InvalidToken:
        return None
    return found


def write_destination(order: ChannelOrder) -> dict[str, Any]:
    """What routing needs to know of where an order goes. Coordinates in degrees."""
    address = order.address
    found = {
        "country": order.country_code or (address.country_code if address else None),
        "region": address.region if address else None,
        "city": address.city if address else None,
        "postal_code": address.postal_code if address else None,
        "latitude": order.latitude,
        "longitude": order.longitude,
    }
    return {name: value for name, value in found.items() if value is not None}
