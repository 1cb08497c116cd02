"""Channel credentials at rest: sealed with the first key of `ONHAND_SECRET_KEY`, opened with any of them."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from app.settings import Settings
from domain.errors import CauseClass, Fault, Refusal, RefusalCode


def seal_credentials(settings: Settings, secrets: Mapping[str, str]) -> bytes:
    """Raises `Refusal` INVALID_INPUT without a key."""
    return read_keys(settings).encrypt(orjson.dumps(dict(secrets)))


def open_credentials(settings: Settings, sealed: bytes | None) -> dict[str, str]:
    """Raises a permanent `Fault` when no key opens them, or there is none."""
    if sealed is None:
        return {}
    try:
        secrets: dict[str, str] = orjson.loads(read_keys(settings).decrypt(sealed))
    except Refusal as refusal:
        raise Fault(str(refusal), transient=False, cause=CauseClass.AUTH) from refusal
    except InvalidToken as error:
        message = "The channel's credentials were sealed with another key: add it to ONHAND_SECRET_KEY."
        raise Fault(message, transient=False, cause=CauseClass.AUTH) from error
    return secrets


def read_keys(settings: Settings) -> MultiFernet:
    """The first key seals; all of them open, so that keys can be rotated. Raises `Refusal` INVALID_INPUT."""
    return MultiFernet(_read_each(settings))


def read_newest_key(settings: Settings) -> Fernet:
    """The one that seals. Raises `Refusal` INVALID_INPUT."""
    return _read_each(settings)[0]


def _read_each(settings: Settings) -> list[Fernet]:
    keys = [key.strip() for key in (settings.secret_key or "").split(",") if key.strip()]
    if not keys:
        raise Refusal(RefusalCode.INVALID_INPUT, "Set ONHAND_SECRET_KEY first: channel credentials are kept encrypted.")
    try:
        return [Fernet(key) for key in keys]
    except ValueError:
        message = "ONHAND_SECRET_KEY must hold Fernet keys: 32 bytes in URL-safe base64."
        raise Refusal(RefusalCode.INVALID_INPUT, message) from None
