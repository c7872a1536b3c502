from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from stagepass.cache import DecisionCache
from stagepass.decision import Answer, Code, Decision
from stagepass.digest import ImageRef
from stagepass.evidence import Deadline
from stagepass.stage import Place
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.world import (
    DAY,
    DIGEST,
    HOUR,
    IMAGE,
    NOW,
    PROD_EU,
    PROD_US,
    SECOND,
    STAGING,
    TEST,
    codes,
    good_evidence,
    judged,
    policy_set,
    signed_pass,
)

POLICY = policy_set()
ADMITTED = judged(POLICY, good_evidence(), STAGING)


def cached(source: MemorySource, cache: DecisionCache | None = None) -> Verifier:
    return Verifier(POLICY, [source], cache or DecisionCache())


def ask(
    verifier: Verifier,
    *,
    image: ImageRef = IMAGE,
    place: Place = STAGING,
    now: datetime = NOW,
    seconds: float = 60,
) -> Decision:
    return verifier.decide(image, place, now=now, deadline=Deadline.after(seconds))


def test_an_admission_is_kept_and_given_again_without_asking() -> None:
    source = MemorySource(good_evidence())
    verifier = cached(source)

    first = ask(verifier)
    assert [ask(verifier, now=NOW + i * SECOND) for i in range(5)] == [first] * 5
    assert (first.answer, source.calls) == (Answer.ADMITTED, 1)


def test_a_denial_is_never_kept_for_the_evidence_may_come_a_second_later() -> None:
    source = MemorySource()
    verifier = cached(source)

    assert ask(verifier).answer is Answer.DENIED
    source.bundles = good_evidence()
    assert ask(verifier).answer is Answer.ADMITTED
    assert source.calls == 2


def test_undetermined_is_never_kept() -> None:
    source = MemorySource(failure=Code.REGISTRY_UNAVAILABLE)
    verifier = cached(source)

    assert ask(verifier).answer is Answer.UNDETERMINED
    source.failure, source.bundles = None, good_evidence()
    assert ask(verifier).answer is Answer.ADMITTED


@pytest.mark.parametrize(
    ("now", "calls"),
    [
        (NOW, 1),
        (NOW + HOUR - SECOND, 1),
        (NOW + HOUR, 2),
        (NOW - timedelta(microseconds=1), 2),
        (NOW - DAY, 2),
    ],
)
def test_an_entry_lives_an_hour_and_a_clock_before_its_start_is_a_miss(
    now: datetime, calls: int
) -> None:
    source = MemorySource(good_evidence())
    verifier = cached(source)
    ask(verifier)
    ask(verifier, now=now)

    assert source.calls == calls


def test_an_entry_ends_at_the_second_in_which_the_clock_alone_would_deny() -> None:
    bundle = signed_pass("test", at=NOW - HOUR, valid_for=HOUR + 60 * SECOND)
    source = MemorySource([bundle])
    verifier = cached(source)

    assert ask(verifier).valid_until == NOW + 60 * SECOND
    assert ask(verifier, now=NOW + 59 * SECOND).answer is Answer.ADMITTED
    assert source.calls == 1
    assert codes(ask(verifier, now=NOW + 60 * SECOND)) == ["EXPIRED"]
    assert source.calls == 2


def test_a_key_that_ends_ends_the_entry() -> None:
    key = {
        "file": "keys/test-cluster.pub",
        "owner": "test-cluster",
        "validUntil": "2026-11-26T12:00:30Z",
    }
    policy = policy_set({"attestors.test-cluster.keys": [key]})
    source = MemorySource(good_evidence())
    verifier = Verifier(policy, [source], DecisionCache())

    assert ask(verifier, now=NOW + 29 * SECOND).answer is Answer.ADMITTED
    assert ask(verifier, now=NOW + 30 * SECOND).answer is Answer.DENIED


def test_an_admission_without_an_edge_of_its_own_lives_an_hour() -> None:
    source = MemorySource(good_evidence())
    verifier = cached(source)

    assert ask(verifier, place=TEST).valid_until is None
    ask(verifier, place=TEST, now=NOW + HOUR - SECOND)
    assert source.calls == 1
    ask(verifier, place=TEST, now=NOW + HOUR)
    assert source.calls == 2


def test_what_is_kept_needs_no_time() -> None:
    verifier = cached(MemorySource(good_evidence()))

    assert ask(verifier) == ask(verifier, seconds=0)


def test_what_needs_no_evidence_needs_no_time() -> None:
    free = {"name": "free", "clusters": ["free"], "namespaces": ["x"]}
    verifier = Verifier(policy_set({"pipeline.stages.3": free}), [], DecisionCache())

    assert ask(verifier, place=Place("free", "x"), seconds=0).answer is Answer.ADMITTED


def test_another_place_image_or_repository_is_another_entry() -> None:
    source = MemorySource(good_evidence())
    verifier = cached(source)
    copy = ImageRef.parse(f"registry.example.com/shop/copy@{DIGEST}")
    for image, place in (
        (IMAGE, STAGING),
        (IMAGE, PROD_EU),
        (IMAGE, PROD_US),
        (IMAGE, Place("prod-eu", "shop-eu")),
        (copy, STAGING),
    ):
        ask(verifier, image=image, place=place)

    assert source.calls == 5


def test_the_tag_beside_a_digest_is_no_other_entry() -> None:
    source = MemorySource(good_evidence())
    verifier = cached(source)
    ask(verifier)
    ask(verifier, image=ImageRef.parse(f"registry.example.com/shop/checkout:x@{DIGEST}"))

    assert source.calls == 1


def test_a_tag_alone_is_never_kept() -> None:
    verifier = cached(MemorySource(good_evidence()))

    assert codes(ask(verifier, image=replace(IMAGE, digest=None, tag="1"))) == ["DIGEST_REQUIRED"]


def test_another_revision_of_the_policy_starts_empty() -> None:
    cache, source = DecisionCache(), MemorySource(good_evidence())
    ask(cached(source, cache))
    stricter = policy_set(
        {"pipeline.stages.1.signedBy": ["ci"], "pipeline.stages.0.signedBy": ["ci"]}
    )

    assert ask(Verifier(stricter, [source], cache)).answer is Answer.DENIED
    assert source.calls == 2


def test_eight_that_ask_at_once_cause_one_reading() -> None:
    gate, ready = threading.Event(), threading.Barrier(9)
    source = MemorySource(good_evidence(), gate=gate)
    verifier = cached(source)

    def arrive() -> Decision:
        ready.wait()
        return ask(verifier)

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(arrive) for _ in range(8)]
        ready.wait()
        source.asked.wait()
        gate.set()
        decisions = [answer.result() for answer in answers]

    assert {d.answer for d in decisions} == {Answer.ADMITTED}
    assert source.calls == 1


def test_different_images_do_not_wait_for_each_other() -> None:
    gate, cache = threading.Event(), DecisionCache()
    slow, fast = MemorySource(good_evidence(), gate=gate), MemorySource(good_evidence())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, cached(slow, cache))
        slow.asked.wait()
        assert ask(cached(fast, cache), place=PROD_EU).answer is Answer.ADMITTED
        gate.set()
        assert waiting.result().answer is Answer.ADMITTED


def test_one_whose_deadline_passes_while_another_reads_does_not_know() -> None:
    gate = threading.Event()
    source = MemorySource(good_evidence(), gate=gate)
    verifier = cached(source)
    with ThreadPoolExecutor(1) as pool:
        leader = pool.submit(ask, verifier)
        source.asked.wait()
        follower = ask(verifier, seconds=0.05)
        gate.set()
        assert leader.result().answer is Answer.ADMITTED

    assert follower.answer is Answer.UNDETERMINED
    assert "DEADLINE" in codes(follower)


def test_a_deadline_that_has_passed_before_it_waits_is_undetermined() -> None:
    decision = ask(cached(MemorySource(good_evidence())), seconds=0)

    assert decision.answer is Answer.UNDETERMINED
    assert "DEADLINE" in codes(decision)


def test_the_least_recently_used_entry_goes_first() -> None:
    cache = DecisionCache(max_entries=2)

    def keep(key: str) -> None:
        cache.get_or_decide(key, NOW, Deadline.after(60), lambda: ADMITTED)

    keep("a")
    keep("b")
    assert cache.get("a", NOW) is not None
    keep("c")
    assert [key for key in "abc" if cache.get(key, NOW) is not None] == ["a", "c"]


def test_an_error_while_deciding_leaves_no_lock_and_no_entry_behind() -> None:
    cache = DecisionCache()

    def fail() -> Decision:
        raise RuntimeError("a bug of ours")

    with pytest.raises(RuntimeError):
        cache.get_or_decide("a", NOW, Deadline.after(60), fail)
    assert cache.get_or_decide("a", NOW, Deadline.after(60), lambda: ADMITTED) == ADMITTED
    assert cache._flights._flying == {}
