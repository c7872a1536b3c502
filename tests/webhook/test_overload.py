"""More reviews at once than threads: what waits for a thread spends its own time limit."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.simulators.registry import Faults, Registry
from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop

_REVIEWS, _GRANTED_SECONDS = 100, 10.0
_SLOW_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and after how many seconds from the first question it was there."""

    seconds: float
    status: int
    code: int
    codes: str


def ask_at_once(server: Server, images: list[str], timeout: str) -> list[Told]:
    """One review of each image, all at once, each on a connection of its own."""
    begun = time.monotonic()

    def ask(image: str) -> Told:
        answer = server.review(create(image), timeout)
        response = answer.json["response"]
        codes = response["auditAnnotations"]["codes"]
        took = time.monotonic() - begun
        return Told(took, answer.status, response["status"]["code"], codes)

    with ThreadPoolExecutor(len(images)) as pool:
        return list(pool.map(ask, images))


def overdue(server: Server) -> float:
    """How many reviews got no thread in time."""
    text = server.get("/metrics").body.decode()
    (count,) = re.findall(r"^stagepass_overdue_reviews_total (.+)$", text, re.MULTILINE)
    return float(count)


@pytest.mark.parametrize(
    "faults", [Faults(hang=True), Faults(latency=_SLOW_SECONDS)], ids=["hung", "slow"]
)
def test_a_hundred_reviews_at_once_each_get_an_answer_in_time(
    tmp_path: Path, faults: Faults
) -> None:
    """
    One worker, eight threads, and a registry that hangs, or that answers each question late.

    The slow one is the harder: no breaker opens, and reviews that took the threads one after another
    were answered when the API server no longer listens.
    """
    with Registry(faults=faults) as registry:
        shop = Shop(tmp_path / "shop", registry.host)
        with Server(tmp_path, shop, evidence="registry") as server:
            answers = ask_at_once(server, [shop.image() for _ in range(_REVIEWS)], "10s")

    assert max(told.seconds for told in answers) < _GRANTED_SECONDS
    assert {told.status for told in answers} == {200}
    assert {told.code for told in answers} <= {403, 503}
    held = [told.codes for told in answers if told.code == 503]
    assert held
    assert all("DEADLINE" in codes for codes in held)


def test_what_waited_for_a_thread_is_not_given_its_time_again(tmp_path: Path) -> None:
    """
    A hundred reviews of one image that is sought once: seven wait for the first, the others for them.

    Four seconds are ours of the five granted; waves of eight that took four each would take fifty.
    """
    with Registry(faults=Faults(hang=True)) as registry:
        shop = Shop(tmp_path / "shop", registry.host)
        with Server(tmp_path, shop, evidence="registry") as server:
            answers = ask_at_once(server, [shop.image()] * _REVIEWS, "5s")
            late = overdue(server)

    assert {told.code for told in answers} == {503}
    assert max(told.seconds for told in answers) < _GRANTED_SECONDS
    assert late > _REVIEWS / 2


def test_what_memory_knows_is_answered_while_the_registry_hangs(tmp_path: Path) -> None:
    """New images hold some of the threads, and never all of them for long."""
    with Registry() as registry:
        shop = Shop(tmp_path / "shop", registry.host)
        known = shop.passed()
        evidence = f"dir:{shop.evidence},registry"
        with (
            Server(tmp_path, shop, evidence=evidence) as server,
            ThreadPoolExecutor(20) as pool,
        ):
            assert server.judge(create(known))["allowed"] is True
            registry.faults = Faults(hang=True)
            before = len(registry.requests)
            held = [pool.submit(server.judge, create(shop.image())) for _ in range(20)]
            wait_until(lambda: len(registry.requests) >= before + 6)

            started = time.monotonic()
            assert server.judge(create(known))["allowed"] is True
            took = time.monotonic() - started

            assert not all(future.done() for future in held)
    assert took < _GRANTED_SECONDS / 2
