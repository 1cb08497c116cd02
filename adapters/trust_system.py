"""Whom clients of servers outside trust."""

from __future__ import annotations

import ssl
from functools import cache

import httpx


@cache
def trust_system() -> ssl.SSLContext:
    """As httpx does by itself, for `verify`; read once in a process, since each reading takes 20 ms."""
    return httpx.create_ssl_context()
