"""The book: conservation by construction, refusals that leave no trace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal, RefusalCode
from domain.stock import ACCOUNTS, BUCKETS, Balance, Book, Posting, StockKey, check_version

KEYS = [StockKey(sku, warehouse) for sku in (1, 2) for warehouse in (1, 2)]
POSTINGS = st.lists(
    st.tuples(st.sampled_from(KEYS), st.sampled_from(ACCOUNTS), st.sampled_from(ACCOUNTS), st.integers(1, 60)).filter(
        lambda p: p[1] != p[2]
    ),
    max_size=60,
)


def empty_book() -> Book:
    return Book({key: Balance([0] * len(ACCOUNTS), 0) for key in KEYS})


@given(st.lists(POSTINGS, max_size=8))
def test_whatever_is_posted_nothing_is_made_or_lost(commands: list[list[tuple[StockKey, str, str, int]]]) -> None:
    """Each command posts all of its postings or, refused, none; the entries replay to the balances."""
    book, codes = empty_book(), set[RefusalCode]()
    for command in commands:
        before = {key: list(balance.accounts) for key, balance in book.balances.items()}
        entries = list(book.entries)
        try:
            with book.trial():
                for posting in command:
                    book.post(Posting(*posting))
        except Refusal as refusal:
            codes.add(refusal.code)
            assert {key: balance.accounts for key, balance in book.balances.items()} == before
            assert book.entries == entries
    assert codes <= {RefusalCode.INSUFFICIENT_STOCK}
    replayed = {key: dict.fromkeys(ACCOUNTS, 0) for key in KEYS}
    for entry in book.entries:
        replayed[entry.key][entry.source] -= entry.quantity
        replayed[entry.key][entry.target] += entry.quantity
        assert replayed[entry.key][entry.source] == entry.source_after
        assert replayed[entry.key][entry.target] == entry.target_after
    for key, balance in book.balances.items():
        assert sum(balance.accounts) == 0
        assert all(balance[name] >= 0 for name in BUCKETS)
        assert {name: balance[name] for name in ACCOUNTS} == replayed[key]


def test_the_last_unit_goes_once() -> None:
    book = empty_book()
    book.post(Posting(KEYS[0], "supplier", "available", 1))
    book.post(Posting(KEYS[0], "available", "reserved", 1))
    with pytest.raises(Refusal) as refused:
        book.post(Posting(KEYS[0], "available", "reserved", 1), ("lines", "0", "quantity"))
    assert (refused.value.code, refused.value.path) == (RefusalCode.INSUFFICIENT_STOCK, ("lines", "0", "quantity"))


def test_a_bucket_takes_no_more_than_its_column() -> None:
    book = empty_book()
    book.post(Posting(KEYS[0], "supplier", "available", 1_000_000_000))
    with pytest.raises(Refusal) as refused:
        book.post(Posting(KEYS[0], "supplier", "available", 1))
    assert refused.value.code is RefusalCode.INVALID_QUANTITY


def test_a_version_that_moved_is_stale() -> None:
    check_version(Balance([0] * len(ACCOUNTS), 3), 3, ())
    check_version(Balance([0] * len(ACCOUNTS), 3), None, ())
    with pytest.raises(Refusal) as refused:
        check_version(Balance([0] * len(ACCOUNTS), 4), 3, ())
    assert refused.value.code is RefusalCode.STALE_VERSION
