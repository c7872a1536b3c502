"""The deadline between candidates: what was not looked at by then might have proven anything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import permutations

import pytest

from stagepass.decision import Answer, Code, Decision
from stagepass.digest import Digest, ImageRef
from stagepass.errors import Unavailable
from stagepass.evidence import Candidate, Deadline
from stagepass.policy.entry import Receipt
from stagepass.receipts import entry
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.policy.signed import emergency, full_evidence, receipt, shop
from tests.world import IMAGE, NOW, PROD_EU, STAGING, codes, policy_set, signed_pass

POLICY = policy_set()
PASS = signed_pass("test")


class LateSource(MemorySource):
    """What it holds arrives when the deadline has just passed."""

    def batches(
        self, image: ImageRef, digest: Digest, wanted: frozenset[str], deadline: Deadline
    ) -> Iterator[Sequence[Candidate]]:
        """As its parent does, then."""
        time.sleep(max(0.0, deadline.at - time.monotonic()) + 0.001)
        yield from super().batches(image, digest, wanted, deadline)


def late(*bundles: bytes) -> Decision:
    verifier = Verifier(POLICY, [LateSource(list(bundles))])
    return verifier.decide(IMAGE, STAGING, now=NOW, deadline=Deadline.after(0.3))


def test_one_is_looked_at_all_the_same() -> None:
    """It was fetched in time, and nothing else could change the answer."""
    assert late(PASS).answer is Answer.ADMITTED
    assert late(b"junk").answer is Answer.DENIED


def test_what_admits_admits_whatever_was_not_looked_at() -> None:
    assert late(PASS, b"junk").answer is Answer.ADMITTED


def test_what_was_not_looked_at_leaves_it_undetermined() -> None:
    decision = late(b"junk", b"more junk")

    assert decision.answer is Answer.UNDETERMINED
    assert codes(decision) == ["DEADLINE", "PASS_MISSING", "STATEMENT_INVALID"]


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_no_deadline_turns_admitted_into_denied(seconds: float) -> None:
    """Evidence that is not looked at is unknown, never absent."""
    for bundles in permutations([PASS, b"junk", signed_pass("staging"), b"more junk"]):
        source = LateSource(list(bundles)) if not seconds else MemorySource(list(bundles))
        deadline = Deadline.after(seconds or 0.1)
        decision = Verifier(POLICY, [source]).decide(IMAGE, STAGING, now=NOW, deadline=deadline)

        assert decision.answer is not Answer.DENIED
        assert decision.answer is Answer.ADMITTED or (not seconds and bundles[0] != PASS)


def test_a_broken_glass_stays_broken() -> None:
    """The full evidence behind it is not looked at in time."""
    sources = [MemorySource([emergency()]), LateSource([b"junk", *full_evidence()])]
    decision = Verifier(shop(), sources).decide(
        IMAGE, PROD_EU, now=NOW, deadline=Deadline.after(0.5)
    )

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.BREAK_GLASS,))


class TestReceipts:
    SHOP = shop()

    def entry(self, *bundles: bytes) -> object:
        (pipeline,) = self.SHOP.pipelines
        stage = next(stage for stage in pipeline.stages if stage.name == "production")
        return entry(
            self.SHOP,
            pipeline.name,
            stage,
            IMAGE,
            PROD_EU,
            [LateSource(list(bundles))],
            now=NOW,
            deadline=Deadline.after(0.3),
        )

    def test_one_that_was_not_looked_at_is_not_known_to_be_missing(self) -> None:
        with pytest.raises(Unavailable) as caught:
            self.entry(b"junk", receipt())

        assert caught.value.code == Code.DEADLINE

    def test_one_that_was_counts(self) -> None:
        assert isinstance(self.entry(receipt(), b"junk"), Receipt)
