"""Deliver a message by e-mail, chat or whatever else Apprise knows an address for."""

from __future__ import annotations

import asyncio
import logging
import warnings
from typing import Any

from domain.errors import CauseClass, Fault

LOCAL = frozenset({"syslog", "windows", "macosx", "gnome", "glib", "gio", "qt", "kde", "dbus", "blink1"})
"""They reach whoever sits at the server, which is nobody."""
SEND_SECONDS_MAX = 20.0
logging.getLogger("apprise").setLevel(logging.CRITICAL)  # it would log what it sends, and to whom


async def name_service(url: str) -> str | None:
    """What kind of address it is, as in `mailto`; None for one that Apprise cannot use, or of this machine."""
    found = await asyncio.to_thread(_open, url)
    schema = url.partition(":")[0].lower()
    return None if found is None or schema in LOCAL else schema


async def send_apprise(url: str, title: str, body: str, kind: str) -> None:
    """`kind`: info, success, warning or failure. Raises a transient `Fault` when the service did not take it."""
    found = await asyncio.to_thread(_open, url)
    if found is None:
        raise Fault("Apprise cannot use the address any more.", transient=False, cause=CauseClass.VALIDATION)
    try:
        async with asyncio.timeout(SEND_SECONDS_MAX):
            taken = await found.async_notify(body=body, title=title, notify_type=kind)
    except TimeoutError as error:
        raise Fault("The service took too long.", transient=True, cause=CauseClass.OUTAGE) from error
    if not taken:
        raise Fault("The service did not take it.", transient=True, cause=CauseClass.OUTAGE)


def _open(url: str) -> Any:
    """Imported here: most processes never alert anybody, and reading a hundred services takes a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of what it imports from the standard library
        import apprise

        return apprise.Apprise.instantiate(url, suppress_exceptions=True)
