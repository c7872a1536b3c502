"""What a verifier keeps and looks for when something is known of the manifest."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stagepass.cache import DecisionCache
from stagepass.decision import Answer, Code, Decision
from stagepass.evidence import Deadline, DirectorySource
from stagepass.policy.releases import Attested, Claim
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.policy.signed import emergency
from tests.policy.test_manifests import ATTESTED, IMAGES, OTHER, SHOP, UNATTESTED, full
from tests.world import IMAGE, NOW, PROD_EU, codes, stored


def ask(verifier: Verifier, claim: Claim | None = ATTESTED) -> Decision:
    claims = {"shop": claim} if claim else {}
    deadline = Deadline.after(60)
    return verifier.decide(IMAGE, PROD_EU, now=NOW, deadline=deadline, claims=claims)


def test_an_admission_is_kept_for_its_own_release_and_no_other() -> None:
    source = MemorySource(full())
    verifier = Verifier(SHOP, [source], DecisionCache())
    assert [ask(verifier).answer for _ in range(3)] == [Answer.ADMITTED] * 3
    assert source.calls == 1

    assert codes(ask(verifier, Attested(OTHER, IMAGES))) == [
        "APPROVALS_MISSING",
        "SUBJECT_MISMATCH",
    ]
    assert codes(ask(verifier, UNATTESTED)) == ["MANIFEST_DIFFERS"]
    assert ask(verifier, None).answer is Answer.ADMITTED
    assert ask(verifier).answer is Answer.ADMITTED
    assert source.calls == 4


def test_what_is_admitted_without_a_claim_is_not_given_to_an_object_of_none() -> None:
    verifier = Verifier(SHOP, [MemorySource(full())], DecisionCache())
    assert ask(verifier, None).answer is Answer.ADMITTED

    assert ask(verifier, UNATTESTED).answer is Answer.DENIED


def test_the_order_of_the_claims_makes_no_other_decision() -> None:
    source = MemorySource(full())
    verifier = Verifier(SHOP, [source], DecisionCache())
    both = {"shop": ATTESTED, "cart": UNATTESTED}
    for claims in (both, dict(reversed(both.items()))):
        deadline = Deadline.after(60)
        found = verifier.decide(IMAGE, PROD_EU, now=NOW, deadline=deadline, claims=claims)
        assert found.answer is Answer.ADMITTED

    assert source.calls == 1


def test_many_asking_at_once_make_one_search() -> None:
    source = MemorySource(full())
    verifier = Verifier(SHOP, [source], DecisionCache())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ask(verifier).answer, range(8)))

    assert (answers, source.calls) == ([Answer.ADMITTED] * 8, 1)


def test_a_broken_glass_is_searched_for_where_the_manifest_alone_is_wrong(tmp_path: Path) -> None:
    """And never kept: the next object of the same release is told as well."""
    directory = DirectorySource(stored(tmp_path, full()))
    registry = MemorySource([emergency()])
    verifier = Verifier(SHOP, [directory, registry], DecisionCache())

    for calls in (1, 2):
        broken = ask(verifier, UNATTESTED)
        assert (broken.answer, broken.notes) == (Answer.ADMITTED, (Code.BREAK_GLASS,))
        assert broken.notices
        assert registry.calls == calls


@pytest.mark.parametrize("code", [Code.REGISTRY_UNAVAILABLE, Code.DEADLINE])
def test_where_a_source_failed_it_is_undetermined_and_still_refused(code: Code) -> None:
    """A break-glass might have been there."""
    decision = ask(Verifier(SHOP, [MemorySource(full(), failure=code)]), UNATTESTED)

    assert (decision.answer, decision.allowed) == (Answer.UNDETERMINED, False)
    assert codes(decision) == sorted(["MANIFEST_DIFFERS", code])


def test_evidence_of_the_release_is_looked_for_beyond_that_of_another(tmp_path: Path) -> None:
    others = DirectorySource(stored(tmp_path, full({}, {}, {})))

    assert ask(Verifier(SHOP, [others, MemorySource(full())])).answer is Answer.ADMITTED
