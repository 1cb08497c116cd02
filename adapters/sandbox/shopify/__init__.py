"""A sandbox Shopify store: it keeps its own stock, sells from it, and speaks the Admin GraphQL API 2026-07.

`create_store(StoreConfig(...))` is a Starlette application; `python -m adapters.sandbox.shopify` serves it.
It conforms to the published contract and to the run-time rules the vendor documents. That proves nothing
about live behaviour.
"""

from adapters.sandbox.shopify.config import ProductConfig, StoreConfig
from adapters.sandbox.shopify.create_store import create_store

__all__ = ["ProductConfig", "StoreConfig", "create_store"]
