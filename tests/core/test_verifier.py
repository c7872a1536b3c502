from __future__ import annotations

import threading
from datetime import datetime
from pathlib import Path

import pytest

from stagepass.decision import Answer, Code, Decision
from stagepass.digest import ImageRef
from stagepass.evidence import MAX_CANDIDATES, Deadline, DirectorySource, EvidenceSource
from stagepass.policy.model import PolicySet
from stagepass.predicates.members import STAGE_ENTERED, STAGE_PASSED
from stagepass.stage import Place
from stagepass.verifier import Verifier
from tests.core.sources import MemorySource
from tests.policy.signed import FLOOR, emergency, full_evidence, shop
from tests.world import (
    DIGEST,
    IMAGE,
    NOW,
    OTHER_IMAGE,
    PROD_EU,
    STAGING,
    TEST,
    VULNERABILITIES,
    codes,
    good_evidence,
    policy_set,
    signed_claim,
    signed_pass,
    stored,
)

POLICY = policy_set()
TAGGED = ImageRef.parse("registry.example.com/shop/checkout:1")


def decide(
    *sources: EvidenceSource,
    place: Place = PROD_EU,
    image: ImageRef = IMAGE,
    policy: PolicySet = POLICY,
    now: datetime = NOW,
    seconds: float = 60,
) -> Decision:
    return Verifier(policy, sources).decide(image, place, now=now, deadline=Deadline.after(seconds))


@pytest.mark.parametrize("failure", [Code.REGISTRY_UNAVAILABLE, Code.DEADLINE])
@pytest.mark.parametrize("unlisted", ["deny", "audit"])
def test_what_no_pipeline_lists_is_denied_whatever_else_could_not_be_found_out(
    failure: Code, unlisted: str
) -> None:
    """No evidence lists an image, so a Baseline's registry that is not asked leaves no doubt."""
    policy = shop({"defaults.unlisted": unlisted}, FLOOR)
    stranger = ImageRef.parse(f"registry.internal/x@{DIGEST}")
    decision = decide(MemorySource(failure=failure), image=stranger, policy=policy)

    assert (decision.answer, decision.allowed) == (Answer.DENIED, False)
    assert codes(decision) == sorted(["REQUIREMENT_MISSING", "UNLISTED", failure])


def test_of_a_listed_image_the_baseline_stays_undetermined() -> None:
    decision = decide(MemorySource(full_evidence(), failure=Code.DEADLINE), policy=shop({}, FLOOR))

    assert decision.answer is Answer.UNDETERMINED


@pytest.mark.parametrize("size", [1, 50])
def test_behind_a_broken_glass_the_full_evidence_is_still_found(tmp_path: Path, size: int) -> None:
    """Then it is the plain admission, for which receipts and passes may be signed."""
    directory = DirectorySource(stored(tmp_path, [emergency()]))
    registry = MemorySource(full_evidence(), size=size)
    decision = decide(directory, registry, policy=shop())

    assert (decision.answer, decision.notes, decision.notices) == (Answer.ADMITTED, (), ())


@pytest.mark.parametrize("failure", [None, Code.REGISTRY_UNAVAILABLE])
def test_without_it_the_glass_is_broken(tmp_path: Path, failure: Code | None) -> None:
    directory = DirectorySource(stored(tmp_path, [emergency()]))
    decision = decide(directory, MemorySource(failure=failure), policy=shop())

    assert (decision.answer, decision.notes) == (Answer.ADMITTED, (Code.BREAK_GLASS,))


def test_a_registry_that_hangs_leaves_time_for_the_next_image_of_an_emergency(
    tmp_path: Path,
) -> None:
    """Break-glass is for when the registry is down; the images of one Pod share a deadline."""
    directory = DirectorySource(stored(tmp_path, [emergency()]))
    hanging = MemorySource(gate=threading.Event(), failure=Code.DEADLINE)
    verifier, deadline = Verifier(shop(), [directory, hanging]), Deadline.after(1)
    answers = [verifier.decide(IMAGE, PROD_EU, now=NOW, deadline=deadline).notes for _ in range(5)]

    assert answers == [(Code.BREAK_GLASS,)] * 5
    assert hanging.calls == 5
    assert deadline.remaining() > 0


def test_what_a_directory_proves_no_other_source_is_asked_for(tmp_path: Path) -> None:
    """A warm start costs no request, and a registry outage stops nothing already proven."""
    registry = MemorySource(failure=Code.REGISTRY_UNAVAILABLE)
    decision = decide(DirectorySource(stored(tmp_path, good_evidence())), registry)

    assert decision.answer is Answer.ADMITTED
    assert registry.calls == 0


def test_the_next_source_is_asked_for_what_is_still_unmet(tmp_path: Path) -> None:
    evidence = good_evidence()
    directory = DirectorySource(stored(tmp_path, evidence[:2]))
    registry = MemorySource(evidence[2:])

    assert decide(directory, registry).answer is Answer.ADMITTED
    assert registry.wanted == [frozenset({STAGE_ENTERED, STAGE_PASSED, VULNERABILITIES})]


def test_evidence_from_several_sources_adds_up_in_any_order(tmp_path: Path) -> None:
    evidence = good_evidence()
    directory = DirectorySource(stored(tmp_path, evidence[1:3]))
    registry = MemorySource([evidence[3], evidence[0]])

    assert decide(directory, registry).answer is Answer.ADMITTED
    assert decide(registry, directory).answer is Answer.ADMITTED


def test_the_search_stops_with_the_batch_that_suffices() -> None:
    source = MemorySource([*good_evidence(), *[b"junk"] * 10], size=4)

    assert decide(source).answer is Answer.ADMITTED
    assert source.batches_read == 1


def test_without_evidence_anywhere_the_answer_is_denied() -> None:
    decision = decide(MemorySource(), MemorySource())

    assert decision.answer is Answer.DENIED
    assert codes(decision) == ["PASS_MISSING", "REQUIREMENT_MISSING"]


@pytest.mark.parametrize("code", [Code.REGISTRY_UNAVAILABLE, Code.DEADLINE, Code.EVIDENCE_LIMIT])
def test_a_source_that_fails_leaves_undetermined_what_it_might_have_proven(code: Code) -> None:
    decision = decide(MemorySource(good_evidence()[:2], failure=code))

    assert decision.answer is Answer.UNDETERMINED
    assert not decision.allowed
    assert codes(decision) == sorted(["PASS_MISSING", code])
    (unknown,) = [v for v in decision.violations if v.code is code]
    assert unknown.message == "could not find out: registry.example.com did not answer"
    assert (unknown.requirement, unknown.fix) == ("", "")


@pytest.mark.parametrize("first", [True, False])
def test_a_source_that_fails_hides_nothing_that_another_one_has(first: bool) -> None:
    failing, good = MemorySource(failure=Code.REGISTRY_UNAVAILABLE), MemorySource(good_evidence())
    decision = decide(*((failing, good) if first else (good, failing)))

    assert decision.answer is Answer.ADMITTED
    assert failing.calls == (1 if first else 0)


def test_a_source_that_fails_after_it_proved_enough_changes_nothing() -> None:
    source = MemorySource(good_evidence(), failure=Code.EVIDENCE_LIMIT)

    assert decide(source).answer is Answer.ADMITTED


def test_every_failure_of_every_source_is_named() -> None:
    sources = [MemorySource(failure=c) for c in (Code.REGISTRY_UNAVAILABLE, Code.EVIDENCE_LIMIT)]

    decision = decide(*sources, place=STAGING)
    assert codes(decision) == ["EVIDENCE_LIMIT", "PASS_MISSING", "REGISTRY_UNAVAILABLE"]
    assert [v.code for v in decision.unmet] == ["EVIDENCE_LIMIT", "REGISTRY_UNAVAILABLE"]


def test_junk_beside_good_evidence_hides_nothing(tmp_path: Path) -> None:
    """Whoever writes into the registry can delay, and never admit or refuse."""
    folder = stored(tmp_path, good_evidence()) / f"sha256-{DIGEST.hex}"
    for index, junk in enumerate(
        [
            *(b"", b"junk", b"{}", b'{"mediaType":[]}', b"\xff" * 100, b"[" * 100_000),
            *(signed_claim(VULNERABILITIES, "stranger"), signed_pass("test", by="stranger")),
        ]
    ):
        (folder / f"{index:03}.sigstore.json").write_bytes(junk)

    assert decide(DirectorySource(tmp_path)).answer is Answer.ADMITTED


@pytest.mark.parametrize("place", [TEST, STAGING, PROD_EU])
def test_junk_alone_is_denied_with_the_reason_for_each_piece(place: Place) -> None:
    junk = [b"junk", signed_pass("test", by="stranger"), signed_claim(VULNERABILITIES, "stranger")]
    decision = decide(MemorySource(junk), place=place)

    assert decision.answer is Answer.DENIED
    assert "STATEMENT_INVALID" in codes(decision)


@pytest.mark.parametrize(
    ("junk_first", "answer"), [(False, Answer.ADMITTED), (True, Answer.UNDETERMINED)]
)
def test_past_fifty_candidates_the_answer_is_a_limit_unless_the_first_fifty_suffice(
    tmp_path: Path, junk_first: bool, answer: Answer
) -> None:
    folder = stored(tmp_path, good_evidence()) / f"sha256-{DIGEST.hex}"
    for index in range(MAX_CANDIDATES):
        name = f"{'!' if junk_first else '~'}{index:03}.sigstore.json"
        (folder / name).write_bytes(b"junk")
    decision = decide(DirectorySource(tmp_path))

    assert decision.answer is answer
    assert ("EVIDENCE_LIMIT" in codes(decision)) is junk_first


def test_evidence_of_another_image_is_never_even_read(tmp_path: Path) -> None:
    directory = DirectorySource(stored(tmp_path, good_evidence()))

    assert decide(directory, image=OTHER_IMAGE).answer is Answer.DENIED


def test_evidence_under_the_wrong_digest_is_a_mismatch(tmp_path: Path) -> None:
    assert OTHER_IMAGE.digest is not None
    stored(tmp_path, good_evidence(), OTHER_IMAGE.digest)
    decision = decide(DirectorySource(tmp_path), image=OTHER_IMAGE)

    assert decision.answer is Answer.DENIED
    assert "SUBJECT_MISMATCH" in codes(decision)


@pytest.mark.parametrize(
    ("image", "place", "code"),
    [
        (TAGGED, PROD_EU, "DIGEST_REQUIRED"),
        (IMAGE, Place("unknown", "shop"), "UNLISTED"),
        (ImageRef.parse(f"169.254.169.254/x@{DIGEST}"), PROD_EU, "UNLISTED"),
        (ImageRef.parse(f"registry.internal:22/x@{DIGEST}"), PROD_EU, "UNLISTED"),
    ],
)
def test_what_no_evidence_could_change_asks_no_source(
    image: ImageRef, place: Place, code: str
) -> None:
    """A request for a host that no policy names is never made."""
    source = MemorySource(good_evidence())

    assert codes(decide(source, image=image, place=place)) == [code]
    assert source.calls == 0


def test_a_stage_that_requires_nothing_asks_no_source() -> None:
    source = MemorySource(failure=Code.REGISTRY_UNAVAILABLE)
    free = {"name": "free", "clusters": ["free"], "namespaces": ["x"]}
    policy = policy_set({"pipeline.stages.3": free})

    assert decide(source, place=Place("free", "x"), policy=policy).answer is Answer.ADMITTED
    assert source.calls == 0


def test_a_deadline_that_has_passed_is_undetermined(tmp_path: Path) -> None:
    directory = DirectorySource(stored(tmp_path, good_evidence()))
    decision = decide(directory, seconds=0)

    assert decision.answer is Answer.UNDETERMINED
    assert "DEADLINE" in codes(decision)


def test_undetermined_is_allowed_where_nothing_is_enforced() -> None:
    policy = policy_set({"pipeline.stages.1.enforcement": "audit"})
    decision = decide(MemorySource(failure=Code.DEADLINE), place=STAGING, policy=policy)

    assert (decision.answer, decision.allowed) == (Answer.UNDETERMINED, True)
