"""A sandbox Amazon marketplace: it keeps its own stock, sells from it, and speaks the Selling Partner API.

`create_market(MarketConfig(...))` is a Starlette application; `python -m adapters.sandbox.amazon` serves it. It
conforms to the published contract and to the run-time rules the vendor documents. That proves nothing about live
behaviour.
"""

from adapters.sandbox.amazon.config import Limit, MarketConfig, ProductConfig
from adapters.sandbox.amazon.create_market import create_market

__all__ = ["Limit", "MarketConfig", "ProductConfig", "create_market"]
