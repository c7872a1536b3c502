"""Requests that are too much, too slow or no JSON: what the endpoint itself must bear."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from stagepass.digest import Digest
from tests.simulators.registry import Faults
from tests.vectors.bench import Bench
from tests.webhook.reviews import Json
from tests.webhook.server import reply


def many(count: int) -> Callable[[Bench], Json]:
    """A Pod of so many images, none of which the registry holds anything about."""

    def build(bench: Bench) -> Json:
        name = f"{bench.registry.host}/shop/web"
        return bench.create(*(f"{name}@{Digest.of(bytes(n))}" for n in range(1, count + 1)))

    return build


def slow(bench: Bench) -> str:
    """The same 200 at a webhook of 2 s, its registry taking 5 s for every answer."""
    bench.registry.faults = Faults(latency=5)
    started = time.monotonic()
    said = bench.ask(bench.online, json.dumps(many(200)(bench)).encode())
    return f"{said}, {'in time' if time.monotonic() - started < 5 else 'too late'}"


def twice(first: str, second: str) -> Any:
    """A review with the member `image` twice."""

    def build(bench: Bench) -> bytes:
        texts = {"D": bench.passed(), "U": bench.image()}
        body = json.dumps(bench.create("IMAGE"))
        double = f'"image": "{texts[first]}", "image": "{texts[second]}"'
        return body.replace('"image": "IMAGE"', double).encode()

    return build


def posted(body: bytes) -> Callable[[Bench], str]:
    return lambda bench: f"HTTP {bench.offline.review(body).status}"


def sent(bench: Bench) -> int:
    """The status of 9 MiB, one more than is read."""
    return bench.offline.review(b'{"apiVersion": "' + b"x" * (9 << 20)).status


def announced(bench: Bench) -> int:
    """The status of 50 MiB, of which only the beginning comes."""
    with closing(bench.offline.connect()) as connection:
        connection.putrequest("POST", "/validate")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(50 << 20))
        connection.endheaders(b"{")
        return reply(connection).status


def survived(huge: Callable[[Bench], int]) -> Callable[[Bench], str]:
    def run(bench: Bench) -> str:
        workers, status = bench.offline.workers(), huge(bench)
        said = bench.ask(bench.offline, json.dumps(bench.create(bench.passed())).encode())
        same = bench.offline.workers() == workers
        return f"HTTP {status}, then {said} by {'the same' if same else 'another'} process"

    return run
