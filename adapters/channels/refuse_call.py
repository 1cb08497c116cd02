"""Calls that a channel will not take however often they are made, and that say nothing of the connection's health.

Fault
├── NotPermitted  the connection does not include this call
└── NotOffered    the vendor has no such call
"""

from __future__ import annotations

from domain.errors import CauseClass, Fault


class NotPermitted(Fault):
    """The connection works, and does not include this call: somebody has to grant a scope. Nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False, cause=CauseClass.AUTH)


class NotOffered(Fault):
    """The vendor has no such call: nothing was sent, and a person does it at the marketplace."""

    def __init__(self, message: str) -> None:
        super().__init__(message, transient=False, cause=CauseClass.POLICY)
