"""A release whose signature has a proven time: the window of its key is judged by that."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from stagepass.clock import format_time
from stagepass.decision import Answer
from stagepass.evidence import Deadline
from stagepass.predicates.revocation import Entry
from stagepass.release.find import find
from stagepass.release.store import ReleaseSource, write_directory
from tests.core.gated import BOTH, OBJECTS, PRODUCTION, REQUIRED, World, passes
from tests.keyless.keyed import proven, trusting
from tests.policy.signed import key, revocation_list
from tests.release.samples import CONFIG, a_release, payload_of
from tests.world import DAY, DROP, HOUR, IMAGE, NOW, SECOND, codes, signed, signer, stored

RELEASE = a_release(*OBJECTS, terms=PRODUCTION)
BARE = signed(payload_of(RELEASE), "ci")
BEFORE, AFTER = NOW - 2 * DAY, NOW - HOUR
ENDED = NOW - DAY


def world(root: Path, *bundles: bytes, revoked: bytes = b"", **window: datetime) -> World:
    """The gate, where `ci` signs releases within `window` and these lie in the line."""
    ends: dict[str, Any] = {word: format_time(at) for word, at in window.items()}
    changes = {
        **REQUIRED,
        "pipeline.stages.0.requires": DROP,
        "attestors.ci.keys": [key("ci", **ends)],
    }
    made = World(root, trusting(changes, revoked=revoked))
    for bundle in bundles:
        write_directory(root, RELEASE, bundle)
    for digest in BOTH:
        stored(root, passes(RELEASE, digest), digest)
    return made


@pytest.mark.parametrize(
    ("at", "counts"),
    [(BEFORE, True), (ENDED - SECOND, True), (ENDED, False), (ENDED + SECOND, False)],
)
@pytest.mark.parametrize("log", [None, "v1"])
def test_a_key_that_has_ended_released_what_it_provably_signed_before(
    tmp_path: Path, log: str | None, at: datetime, counts: bool
) -> None:
    decision = world(tmp_path, proven(BARE, "ci", at, log=log), validUntil=ENDED).judge(CONFIG)

    assert (decision.answer is Answer.ADMITTED) is counts
    assert codes(decision) == ([] if counts else ["MANIFEST_UNATTESTED"])


def test_it_is_not_bounded_by_the_end_of_its_key(tmp_path: Path) -> None:
    bare = world(tmp_path / "bare", BARE, validUntil=NOW + HOUR).judge(CONFIG)
    stamped = world(tmp_path / "x", proven(BARE, "ci", BEFORE), validUntil=NOW + HOUR).judge(CONFIG)

    assert bare.valid_until == NOW + HOUR
    assert stamped.valid_until is not None
    assert stamped.valid_until > NOW + 20 * DAY


@pytest.mark.parametrize("order", [1, -1])
def test_a_copy_without_its_proof_hides_nothing(tmp_path: Path, order: int) -> None:
    """The two are one statement by one key; a registry's writer can add either."""
    both = [BARE, proven(BARE, "ci", BEFORE)][::order]
    gate = world(tmp_path, *both, validUntil=ENDED)
    verifier = gate.verifier()

    for _ in range(2):
        assert gate.judge(CONFIG, verifier=verifier).answer is Answer.ADMITTED


@pytest.mark.parametrize(
    ("at", "counts"), [(NOW - DAY, True), (NOW - DAY - SECOND, False), (NOW + HOUR, False)]
)
def test_a_key_that_begins_and_a_time_ahead_of_now(
    tmp_path: Path, at: datetime, counts: bool
) -> None:
    gate = world(tmp_path, proven(BARE, "ci", at), validFrom=NOW - DAY)

    assert (gate.judge(CONFIG).answer is Answer.ADMITTED) is counts
    late = gate.judge(CONFIG, now=NOW + HOUR).answer
    assert (late is Answer.ADMITTED) is (at >= NOW - DAY)


@pytest.mark.parametrize(
    ("at", "counts"), [(BEFORE, True), (AFTER, False), (None, False), (NOW + HOUR, False)]
)
@pytest.mark.parametrize("stolen", [False, True])
def test_the_command_line_finds_what_the_gate_takes(
    tmp_path: Path, at: datetime | None, counts: bool, stolen: bool
) -> None:
    """`release verify`, `show` and `diff --policy`."""
    bundle = BARE if at is None else proven(BARE, "ci", at)
    entry = Entry("key", signer("ci").private.public.id, "stolen", compromised_since=ENDED)
    window = {} if stolen else {"validUntil": ENDED}
    gate = world(tmp_path, bundle, revoked=revocation_list(*[entry] * stolen), **window)
    digest = RELEASE.artifact_digest
    source = ReleaseSource.directory(tmp_path)
    found = find(gate.policy, [source], IMAGE, digest, now=NOW, deadline=Deadline.after(60))

    assert bool(found.releases) is counts
    assert bool(found.rejections) is not counts


@pytest.mark.parametrize(("at", "counts"), [(BEFORE, True), (AFTER, False), (None, False)])
def test_of_a_stolen_key_what_it_released_before_stays(
    tmp_path: Path, at: datetime | None, counts: bool
) -> None:
    entry = Entry("key", signer("ci").private.public.id, "stolen", compromised_since=ENDED)
    bundle = BARE if at is None else proven(BARE, "ci", at)
    decision = world(tmp_path, bundle, revoked=revocation_list(entry)).judge(CONFIG)

    assert (decision.answer is Answer.ADMITTED) is counts
