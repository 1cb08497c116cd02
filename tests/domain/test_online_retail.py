"""Invoices read from rows, and what a cancellation cancels."""

from __future__ import annotations

import pytest

from domain.online_retail import BadRow, InvoiceKind, Word, cut_days, read_invoices, tell_story


def row(
    invoice: str, code: str, units: int, customer: str = "17850.0", day: int = 1, price: str = "2.55"
) -> dict[str, str]:
    return {
        "InvoiceNo": invoice,
        "StockCode": code,
        "Description": "WHITE  LANTERN ",
        "Quantity": str(units),
        "InvoiceDate": f"2010-12-{day:02} 08:26:00",
        "UnitPrice": price,
        "CustomerID": customer,
        "Country": "United Kingdom",
    }


def said(words: list[Word]) -> list[tuple[str, int, tuple[int, ...], bool]]:
    return [(word.order.number, word.version, word.units, word.cancelled) for word in words]


def test_rows_become_invoices_without_what_is_no_goods() -> None:
    rows = [
        row("1", "85123a", 6),
        row("1", "POST", 1),
        row("1", "22138", 3, price="0.0"),
        row("2", "M", 1),
        row("3", "22139", -5, customer=""),
        row("C4", "85123A", -2),
    ]
    invoices = read_invoices(rows)
    assert [(one.number, one.kind, one.left_out) for one in invoices] == [
        ("1", InvoiceKind.SALE, 2),
        ("2", InvoiceKind.NO_GOODS, 1),
        ("3", InvoiceKind.NO_GOODS, 1),
        ("C4", InvoiceKind.CANCELLATION, 0),
    ]
    assert (invoices[0].customer, invoices[0].country) == ("17850", "GB")
    assert [(line.code, line.title, line.units) for line in invoices[0].lines] == [("85123A", "WHITE LANTERN", 6)]


def test_a_row_that_cannot_be_read_is_named() -> None:
    with pytest.raises(BadRow, match="Row 3"):
        read_invoices([row("1", "85123A", 6), {**row("1", "85123A", 6), "Quantity": "many"}])


def test_a_cancellation_takes_back_the_last_purchase_first() -> None:
    rows = [
        row("1", "85123A", 6, day=1),
        row("2", "85123A", 4, day=2),
        row("2", "71053", 1, day=2),
        row("3", "85123A", 9, customer="1.0", day=3),
        row("C4", "85123A", -5, day=4),
        row("C5", "85123A", -9, day=5),
        row("C6", "71053", -1, customer="", day=6),
    ]
    story = tell_story(read_invoices(rows))
    assert said(story.words) == [
        ("1", 1, (6,), False),
        ("2", 1, (4, 1), False),
        ("3", 1, (9,), False),
        ("2", 2, (0, 1), False),
        ("1", 2, (5,), False),
        ("1", 3, (0,), True),
    ]
    assert story.matched == {"C4": 5, "C5": 5}
    assert story.unmatched == {"C5": 4, "C6": 1}


def test_what_is_cancelled_before_it_is_bought_cancels_nothing() -> None:
    story = tell_story(read_invoices([row("2", "85123A", 4, day=2), row("C1", "85123A", -4, day=1)]))
    assert said(story.words) == [("2", 1, (4,), False)]
    assert story.unmatched == {"C1": 4}


def test_a_file_is_cut_after_so_many_days() -> None:
    invoices = read_invoices([row(str(day), "85123A", 1, day=day) for day in (1, 2, 5)])
    assert [one.number for one in cut_days(invoices, 2)] == ["1", "2"]
    assert cut_days(invoices, None) == invoices
    assert cut_days([], 3) == []
