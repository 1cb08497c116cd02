"""A small, cheap HTTP load generator: keep-alive connections, one request in flight on each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import orjson
import psutil


@dataclass(slots=True)
class Outcome:
    """What a run measured. `latencies` are seconds, ascending."""

    seconds: float
    server_cpu_seconds: float
    latencies: list[float] = field(repr=False)
    answers: list[bytes] = field(repr=False)

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Server CPU per request."""
        return 1_000 * self.server_cpu_seconds / len(self.latencies)

    def percentile_ms(self, share: float) -> float:
        return 1_000 * self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)]


def cpu_seconds(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        times = psutil.Process(pid).cpu_times()
        total += times.user + times.system
    return total


def encode_request(path: str, host: str, token: str, body: object) -> bytes:
    content = orjson.dumps(body)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """Send one request on a kept-alive connection and read its answer's body."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    start = head.lower().index(b"content-length:") + 15
    return await reader.readexactly(int(head[start : head.index(b"\r", start)]))


async def run_load(
    url: str,
    token: str,
    pids: list[int],
    *,
    clients: int,
    requests: int,
    body_of: Callable[[int], object],
    keep_answers: bool = False,
) -> Outcome:
    """Send `requests` operations from `clients` connections; `body_of(n)` is the n-th one's JSON."""
    parts = urlsplit(url)
    numbers = iter(range(requests))
    latencies: list[float] = []
    answers: list[bytes] = []

    async def client() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in numbers:
            request = encode_request(parts.path, parts.netloc, token, body_of(number))
            started = time.perf_counter()
            answer = await exchange(reader, writer, request)
            latencies.append(time.perf_counter() - started)
            if keep_answers:
                answers.append(answer)
        writer.close()

    cpu = cpu_seconds(pids)
    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Outcome(time.perf_counter() - started, cpu_seconds(pids) - cpu, sorted(latencies), answers)
