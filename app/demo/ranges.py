"""What each of the demo's channels sells: the shop everything, the marketplaces a part of it."""

from __future__ import annotations

from collections.abc import Sequence

from app.demo.assortment import Product

BEST_SELLERS, LIGHTEST = 200, 150


def list_range(kind: str, products: Sequence[Product]) -> Sequence[Product]:
    """Amazon gets the best sellers; eBay what is light, since a private buyer pays its postage."""
    if kind == "amazon":
        return sorted(products, key=lambda product: (-product.demand, product.code))[:BEST_SELLERS]
    if kind == "ebay":
        return sorted(products, key=lambda product: (product.weight_grams, product.code))[:LIGHTEST]
    return products
