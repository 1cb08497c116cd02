"""What an eBay channel is connected with. Secrets never show in a repr."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

PRODUCTION_URL = "https://api.ebay.com"
VERIFICATION_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,80}")
REVISIONS_PER_DAY = 250
TOPICS = ("ORDER_CONFIRMATION", "ORDER_CANCELLATION_ACTIVITY")


@dataclass(frozen=True, slots=True)
class EbayCredentials:
    """The application's keys and the seller's refresh token (lives 18 months)."""

    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EbaySettings:
    """`out_of_stock_control`: the seller has switched this preference on; only then may a quantity of 0 be sent.

    Without it eBay ends the listing for good, or refuses the number. `time_zone`: whose midnight gives a listing
    its revisions back. `endpoint` and `verification_token`: where eBay sends events (None: where the engine says), and
    what proves it ours. `alert_email`: whom eBay writes to when it cannot send them.
    """

    base_url: str = PRODUCTION_URL
    locale: str = "en-US"
    out_of_stock_control: bool = False
    revisions_per_day: int = REVISIONS_PER_DAY
    time_zone: str = "America/Los_Angeles"
    endpoint: str | None = None
    alert_email: str | None = None
    verification_token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.revisions_per_day < 1:
            raise ValueError("revisions_per_day must be 1 or more")
        if self.verification_token is not None and not VERIFICATION_TOKEN.fullmatch(self.verification_token):
            raise ValueError("verification_token must be 32 to 80 letters, digits, - and _")
