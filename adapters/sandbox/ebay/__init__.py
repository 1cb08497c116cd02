"""A sandbox eBay seller account: own listings, own stock, own orders, the Sell APIs Onhand uses."""

from __future__ import annotations

from adapters.sandbox.ebay.config import AccountConfig, ConfigError, ProductConfig
from adapters.sandbox.ebay.create_account import create_account

__all__ = ["AccountConfig", "ConfigError", "ProductConfig", "create_account"]
