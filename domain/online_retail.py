"""The UCI "Online Retail" transactions: invoices of a gift retailer, read as orders and what was taken back of them.

An invoice that begins with C cancels: its negative quantities take back what the same customer bought of the same item
before, the last purchase first. What is no goods (postage, fees, samples, corrections without a price) is left out.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

GOODS = re.compile(r"\d{5}[A-Z]{0,2}")
COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
COUNTRIES = {
    "United Kingdom": "GB",
    "Germany": "DE",
    "France": "FR",
    "EIRE": "IE",
    "Norway": "NO",
    "Portugal": "PT",
    "Belgium": "BE",
    "Cyprus": "CY",
    "Spain": "ES",
    "Netherlands": "NL",
    "Japan": "JP",
    "Switzerland": "CH",
    "Italy": "IT",
    "Australia": "AU",
    "Lithuania": "LT",
    "Iceland": "IS",
    "Sweden": "SE",
    "Denmark": "DK",
    "Channel Islands": "JE",
    "Finland": "FI",
    "Austria": "AT",
    "Poland": "PL",
    "Israel": "IL",
    "Bahrain": "BH",
    "USA": "US",
    "RSA": "ZA",
    "Singapore": "SG",
    "Hong Kong": "HK",
    "Czech Republic": "CZ",
    "Greece": "GR",
    "Lebanon": "LB",
    "United Arab Emirates": "AE",
    "Saudi Arabia": "SA",
    "Canada": "CA",
    "Brazil": "BR",
    "Malta": "MT",
}
"""ISO 3166-1 alpha-2 of what the file calls countries; "Unspecified" and "European Community" are none."""


class BadRow(Exception):
    """A row cannot be read; the message says which and why."""


class InvoiceKind(StrEnum):
    """`NO_GOODS`: nothing of it is to be shipped or was."""

    SALE = "SALE"
    CANCELLATION = "CANCELLATION"
    NO_GOODS = "NO_GOODS"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """`units`: of a cancellation those taken back."""

    code: str
    title: str
    units: int
    unit_price: Decimal


@dataclass(slots=True)
class Invoice:
    """`customer` is None for about one in four. `left_out`: rows that are no goods."""

    number: str
    customer: str | None
    country: str | None
    at: datetime.datetime
    lines: list[InvoiceLine] = field(default_factory=list)
    left_out: int = 0

    @property
    def kind(self) -> InvoiceKind:
        if not self.lines:
            return InvoiceKind.NO_GOODS
        return InvoiceKind.CANCELLATION if self.number.startswith("C") else InvoiceKind.SALE


@dataclass(frozen=True, slots=True)
class Word:
    """What the shop says of an order at some time: `units` that are wanted, by line.

    `cause`: the number of the invoice behind it. `version`: counted from 1.
    """

    at: datetime.datetime
    order: Invoice
    version: int
    units: tuple[int, ...]
    cause: str

    @property
    def cancelled(self) -> bool:
        return not any(self.units)


@dataclass(slots=True)
class Story:
    """All that the shop says, in order; `unmatched`: units of cancellations that nobody in the file had bought, by
    invoice; `matched`: the others.
    """

    words: list[Word] = field(default_factory=list)
    matched: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)


def read_invoices(rows: Iterable[Mapping[str, str]]) -> list[Invoice]:
    """Invoices in the order of the file. Raises `BadRow`."""
    found: dict[str, Invoice] = {}
    for number, row in enumerate(rows, start=2):
        try:
            _read_row(found, row)
        except (KeyError, ValueError, ArithmeticError, TypeError, AttributeError) as error:
            raise BadRow(f"Row {number} cannot be read: {type(error).__name__}.") from None
    return list(found.values())


def _read_row(found: dict[str, Invoice], row: Mapping[str, str]) -> None:
    number, code = row["InvoiceNo"].strip(), row["StockCode"].strip().upper()
    at = datetime.datetime.fromisoformat(row["InvoiceDate"]).replace(tzinfo=datetime.UTC)
    units, price = int(row["Quantity"]), Decimal(row["UnitPrice"])
    invoice = found.get(number)
    if invoice is None:
        customer = row["CustomerID"].removesuffix(".0").strip() or None
        invoice = found[number] = Invoice(number, customer, COUNTRIES.get(row["Country"].strip()), at)
    taken_back = -units if number.startswith("C") else units
    if GOODS.fullmatch(code) is None or taken_back <= 0 or price <= 0:
        invoice.left_out += 1
        return
    title = " ".join(row["Description"].split()) or code
    invoice.lines.append(InvoiceLine(code, title, taken_back, price))


def cut_days(invoices: Sequence[Invoice], days: int | None) -> list[Invoice]:
    """Those of the first `days` days of the file."""
    if days is None or not invoices:
        return list(invoices)
    end = min(invoice.at for invoice in invoices).date() + datetime.timedelta(days=days)
    return [invoice for invoice in invoices if invoice.at.date() < end]


def tell_story(invoices: Iterable[Invoice]) -> Story:
    """Orders, and what each cancellation makes of the orders that it cancels."""
    story, told = Story(), _Told()
    for invoice in sorted(invoices, key=lambda one: one.at):
        if invoice.kind is InvoiceKind.SALE:
            story.words.append(told.sell(invoice))
        elif invoice.kind is InvoiceKind.CANCELLATION:
            words, missing = told.take_back(invoice)
            story.words += words
            total = sum(line.units for line in invoice.lines)
            if total > missing:
                story.matched[invoice.number] = total - missing
            if missing:
                story.unmatched[invoice.number] = missing
    return story


class _Told:
    """What is still wanted of each order, and where each customer bought what."""

    def __init__(self) -> None:
        self._left: dict[str, list[int]] = {}
        self._versions: dict[str, int] = {}
        self._bought: dict[tuple[str | None, str], list[tuple[Invoice, int]]] = {}

    def sell(self, invoice: Invoice) -> Word:
        self._left[invoice.number] = [line.units for line in invoice.lines]
        self._versions[invoice.number] = 1
        for index, line in enumerate(invoice.lines):
            self._bought.setdefault((invoice.customer, line.code), []).append((invoice, index))
        return Word(invoice.at, invoice, 1, tuple(self._left[invoice.number]), invoice.number)

    def take_back(self, invoice: Invoice) -> tuple[list[Word], int]:
        """A word for each order that loses units, and how many units nobody had bought."""
        changed: dict[str, Invoice] = {}
        missing = 0
        for line in invoice.lines:
            units = line.units
            bought = self._bought.get((invoice.customer, line.code), []) if invoice.customer else []
            for order, index in reversed(bought):
                taken = min(units, self._left[order.number][index])
                if taken:
                    self._left[order.number][index] -= taken
                    changed[order.number] = order
                    units -= taken
            missing += units
        words = []
        for number, order in changed.items():
            self._versions[number] += 1
            units_left = tuple(self._left[number])
            words.append(Word(invoice.at, order, self._versions[number], units_left, invoice.number))
        return words, missing
