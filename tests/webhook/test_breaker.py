"""A registry that hangs must not make the gate miss the API server's timeout."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from stagepass.breaker import PATIENCE_SECONDS, SLOW_SECONDS, Breaker
from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline
from tests.simulators.registry import Faults, Registry
from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop, digest_of

_REVIEWS, _TIMEOUT = 40, 3.0
_OPEN = 0.3
_SLOW = SLOW_SECONDS + 0.05


def test_reviews_queued_behind_a_hung_registry_are_answered_in_time(tmp_path: Path) -> None:
    """
    Forty at once, eight threads: each gets its explicit refusal within its own timeout.

    And the same gate admits again, once the registry is well.
    """
    with Registry(faults=Faults(hang=True)) as registry:
        shop = Shop(tmp_path / "shop", registry.host)
        with Server(tmp_path, shop, evidence="registry") as server:

            def judge(_: int) -> tuple[float, int, str]:
                started = time.monotonic()
                response = server.judge(create(shop.image()), timeout="3s")
                codes = response["auditAnnotations"]["codes"]
                return time.monotonic() - started, response["status"]["code"], codes

            with ThreadPoolExecutor(_REVIEWS) as pool:
                answers = list(pool.map(judge, range(_REVIEWS)))

            assert {status for _, status, _ in answers} == {503}
            assert all("DEADLINE" in codes for _, _, codes in answers)
            assert max(took for took, _, _ in answers) < _TIMEOUT

            registry.faults = Faults()
            image = f"{registry.host}/shop/web@{registry.push_image('shop/web', b'web')}"
            registry.attach("shop/web", str(digest_of(image)), shop.bundle(image))
            wait_until(lambda: server.judge(create(image))["allowed"], seconds=10)


@dataclass
class Host:
    """A registry that takes `seconds` and then gives what `code` says, or one batch."""

    seconds: float = 0.0
    code: Code | None = None
    asked: list[str] = field(default_factory=list)

    def batches(
        self,
        image: ImageRef,
        digest: Digest,  # noqa: ARG002
        wanted: frozenset[str],  # noqa: ARG002
        deadline: Deadline,  # noqa: ARG002
    ) -> Iterator[Sequence[Candidate]]:
        self.asked.append(image.host)
        time.sleep(self.seconds)
        if self.code is not None:
            raise Unavailable(self.code, "no answer")
        yield [Candidate(b"x", "host")]


def image(host: str = "a.example.com") -> ImageRef:
    return ImageRef.parse(f"{host}/shop/web@{Digest.of(b'x')}")


def ask(breaker: Breaker, host: str = "a.example.com") -> str:
    """The code of the failure, "" for an answer."""
    about = image(host)
    assert about.digest is not None
    try:
        list(breaker.batches(about, about.digest, frozenset(), Deadline.after(10)))
    except Unavailable as error:
        return error.code
    return ""


@pytest.fixture
def dead() -> tuple[Host, Breaker]:
    """A host that was found dead just now."""
    host = Host(_SLOW, Code.DEADLINE)
    breaker = Breaker(host, _OPEN)
    assert [ask(breaker), ask(breaker)] == ["DEADLINE"] * 2
    host.asked.clear()
    return host, breaker


def test_a_dead_host_is_not_asked_for_a_while(dead: tuple[Host, Breaker]) -> None:
    host, breaker = dead

    assert ask(breaker) == "DEADLINE"
    assert host.asked == []


def test_other_hosts_are_asked_meanwhile(dead: tuple[Host, Breaker]) -> None:
    host, breaker = dead
    host.code = None

    assert ask(breaker, "b.example.com") == ""


def test_a_host_that_answers_again_is_asked_by_all(dead: tuple[Host, Breaker]) -> None:
    host, breaker = dead
    time.sleep(_OPEN)
    host.code, host.seconds = None, 0.0

    assert [ask(breaker) for _ in range(3)] == [""] * 3


def test_one_tries_again_while_the_others_are_refused(dead: tuple[Host, Breaker]) -> None:
    host, breaker = dead
    time.sleep(_OPEN)
    together = threading.Barrier(8)

    def ask_together(_: int) -> str:
        together.wait()
        return ask(breaker)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask_together, range(8))) == ["DEADLINE"] * 8
    assert len(host.asked) == 1
    assert ask(breaker) == "DEADLINE"
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    "host",
    [
        pytest.param(Host(0, Code.REGISTRY_UNAVAILABLE), id="at once"),
        pytest.param(Host(0, Code.DEADLINE), id="no time granted"),
        pytest.param(Host(_SLOW, Code.EVIDENCE_LIMIT), id="it answered, too much"),
        pytest.param(Host(_SLOW), id="slow, and well"),
    ],
)
def test_what_is_no_dead_host_stays_asked(host: Host) -> None:
    """A repository of one tenant, or a caller without patience, shuts nobody else out."""
    breaker = Breaker(host, 60)
    for _ in range(3):
        ask(breaker)

    assert len(host.asked) == 3


def test_one_slow_failure_is_none() -> None:
    """It takes two in a row, with no answer between them."""
    host = Host()
    breaker = Breaker(host, 60)
    for seconds, code in [(_SLOW, Code.DEADLINE), (0.0, None), (_SLOW, Code.DEADLINE), (0.0, None)]:
        host.seconds, host.code = seconds, code
        ask(breaker)

    assert len(host.asked) == 4


def test_the_reason_is_told_while_it_is_open(dead: tuple[Host, Breaker]) -> None:
    _, breaker = dead
    about = image()
    assert about.digest is not None

    with pytest.raises(Unavailable, match=r"a\.example\.com is not asked just now: no answer"):
        list(breaker.batches(about, about.digest, frozenset(), Deadline.after(10)))


class Slow:
    """A host whose answers wait for `release`, or for the end of the time they are given."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.asked = 0

    def batches(
        self,
        image: ImageRef,  # noqa: ARG002
        digest: Digest,  # noqa: ARG002
        wanted: frozenset[str],  # noqa: ARG002
        deadline: Deadline,
    ) -> Iterator[Sequence[Candidate]]:
        self.asked += 1
        if not self.release.wait(deadline.remaining()):
            raise Unavailable(Code.DEADLINE, "no answer")
        yield [Candidate(b"x", "host")]


def test_a_slow_host_holds_a_few_reviews_and_no_more() -> None:
    """Two have the places; the third gets a moment, the fourth nothing, and another host is asked."""
    slow = Slow()
    breaker = Breaker(slow, 60, places=2)
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(ask, breaker) for _ in range(2)]
        wait_until(lambda: slow.asked == 2)
        started = time.monotonic()
        assert ask(breaker) == "DEADLINE"
        assert PATIENCE_SECONDS <= time.monotonic() - started < 5
        assert slow.asked == 3

        assert ask(breaker) == "DEADLINE"
        assert slow.asked == 3
        started = time.monotonic()
        assert ask(breaker, "b.example.com") == "DEADLINE"
        assert (slow.asked, time.monotonic() - started < 5) == (4, True)

        slow.release.set()
        assert [future.result() for future in held] == ["", ""]
    assert ask(breaker) == ""


def test_the_images_of_one_review_take_one_place() -> None:
    slow, limit = Slow(), Deadline.after(10)
    breaker, about = Breaker(slow, 60, places=1), image()
    digest = Digest.of(b"x")
    with ThreadPoolExecutor(3) as pool:
        each = [
            pool.submit(lambda: list(breaker.batches(about, digest, frozenset(), replace(limit))))
            for _ in range(3)
        ]
        time.sleep(PATIENCE_SECONDS + 0.1)
        assert slow.asked == 3
        slow.release.set()
        assert [len(future.result()) for future in each] == [1, 1, 1]
