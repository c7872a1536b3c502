"""What is said of a release once it is applied: receipts and passes name it, each is signed once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from applier.failure import Failure, Reason
from applier.foreseeing import Latecomers
from applier.passes import Ran, Signer
from applier.state import State
from stagepass.attesting import Signed
from stagepass.decision import Code
from stagepass.evidence import Attestation, Candidate, DirectorySource
from stagepass.predicates.entered import StageEntered
from stagepass.predicates.members import STAGE_ENTERED, STAGE_PASSED
from stagepass.predicates.named_release import NamedRelease
from stagepass.predicates.passed import StagePassed
from tests.applier.released import GREEN, VERSION, Place, named
from tests.core.gated import OBJECTS
from tests.core.sources import MemorySource
from tests.release.samples import DEPLOYMENT
from tests.world import DAY, DIGEST, IMAGE, NOW, signer


def test_a_release_that_is_signed_later_makes_it_pass_anew(tmp_path: Path) -> None:
    place = Place(tmp_path, {"pipeline.stages.2.manifests": "off"})
    state = State(applied=VERSION, passed=VERSION, passed_at=NOW)
    late, wanted = Latecomers(), place.prepared(OBJECTS)

    before = late.recognised(place.application, place.world.verifier(), state, wanted, NOW)
    release = place.world.released()
    soon = late.recognised(place.application, place.world.verifier(), before, wanted, NOW)
    after = late.recognised(place.application, place.world.verifier(), before, wanted, NOW + DAY)

    assert (before.release, before.passed) == (None, VERSION)
    assert "is not signed" in before.unreleased
    assert soon == before
    assert (after.release, after.passed, after.unreleased) == (named(release), None, "")
    assert State.from_json(after.to_json()) == after


class Signing:
    """prod-eu's signer over a directory."""

    def __init__(self, place: Place, root: Path) -> None:
        self.place, self.source, self.made = place, DirectorySource(root), []  # type: ignore[var-annotated]
        self.signer = Signer(
            signer("prod-eu").private, "prod-eu", "uid", lambda _: [self.source], self._store
        )

    def _store(self, signed: Signed, *_: object) -> None:
        self.made.append(signed)
        self.source.write(signed.digest, signed.bundle)

    def statements(self) -> list[tuple[str, NamedRelease | Any]]:
        """(predicate type, release) of all that was signed."""
        found: list[tuple[str, Any]] = []
        for each in self.made:
            read = self.place.policy.keys.verify(Candidate(each.bundle, "new"), each.digest)
            assert isinstance(read, Attestation)
            kind, predicate = read.statement.predicate_type, read.statement.predicate
            parsed = StagePassed if kind == STAGE_PASSED else StageEntered
            found.append((kind, parsed.parse(predicate).release))
        return found


def test_a_pass_and_a_receipt_are_of_one_release(tmp_path: Path) -> None:
    """Two releases of the same images are two things to enter and to pass; either is signed once."""
    place = Place(tmp_path / "releases")
    signing = Signing(place, tmp_path / "evidence")
    first, second = named(place.world.released()), named(place.world.released(DEPLOYMENT, GREEN))
    assert first.image_set == second.image_set
    images, ran = [(IMAGE, DIGEST, "shop")], [Ran(IMAGE, DIGEST, "shop", (NOW - DAY, NOW))]

    for release in (first, second, first, second):
        signing.signer.enter(place.application, place.policy, images, NOW, release)
        signing.signer.sign_passes(place.application, place.policy, VERSION, ran, NOW, release)

    assert signing.statements() == [
        (STAGE_ENTERED, first.digest),
        (STAGE_PASSED, first),
        (STAGE_ENTERED, second.digest),
        (STAGE_PASSED, second),
    ]


def test_a_renewed_receipt_keeps_its_release_and_its_entry(tmp_path: Path) -> None:
    place = Place(tmp_path / "releases", {"attestors.prod-clusters.keys.0.clusters": ["prod-eu"]})
    signing = Signing(place, tmp_path / "evidence")
    release = named(place.world.released())

    for now in (NOW, NOW + 25 * DAY):
        signing.signer.enter(
            place.application, place.policy, [(IMAGE, DIGEST, "shop")], now, release
        )

    assert [kind for kind, _ in signing.statements()] == [STAGE_ENTERED, STAGE_ENTERED]
    assert {of for _, of in signing.statements()} == {release.digest}


def test_an_image_that_outlives_many_releases_is_signed_for_still(tmp_path: Path) -> None:
    """A source reads the newest fifty and says that there are more: once, that ended all signing."""
    place = Place(tmp_path / "releases")
    full = MemorySource([b"{}"] * 50, failure=Code.EVIDENCE_LIMIT)
    made: list[Signed] = []
    signs = Signer(
        signer("prod-eu").private,
        "prod-eu",
        "uid",
        lambda _: [full],
        lambda signed, *_: made.append(signed),
    )
    release, images = named(place.world.released()), [(IMAGE, DIGEST, "shop")]

    signs.enter(place.application, place.policy, images, NOW, release)
    full.failure = Code.REGISTRY_UNAVAILABLE
    with pytest.raises(Failure) as caught:
        signs.enter(place.application, place.policy, images, NOW, None)

    assert [each.predicate_type for each in made] == [STAGE_ENTERED]
    assert caught.value.reason is Reason.SIGNING_FAILED
