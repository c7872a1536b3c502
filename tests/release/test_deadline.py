"""The deadline between the bundles of a line or an artifact: what is not looked at by then is unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from stagepass.decision import Answer, Code
from stagepass.errors import Unavailable
from stagepass.evidence import Deadline
from stagepass.release.book import ReleaseBook
from stagepass.release.find import claimed
from stagepass.release.listed import Listed
from stagepass.release.shelf import Shelf
from stagepass.release.store import NOWHERE, DirectoryBlobs, ReleaseSource
from tests.core.gated import OBJECTS, PRODUCTION, World
from tests.core.sources import MemorySource
from tests.core.test_verifier_deadline import LateSource
from tests.release.samples import CONFIG, a_release, altered, payload_of
from tests.world import NOW, codes, signed

RELEASE = a_release(*OBJECTS, terms=PRODUCTION)
SIGNED = signed(payload_of(RELEASE), "ci")


class Line:
    """The line of production under one book, whose source holds these bundles."""

    def __init__(self, root: Path, source: MemorySource) -> None:
        self.world, self.source = World(root), source
        found = ReleaseSource(source, DirectoryBlobs(root))
        self.book = ReleaseBook(self.world.policy, [found], Shelf())
        (self._pipeline,) = self.world.policy.pipelines
        self._stage = next(s for s in self._pipeline.stages if s.name == "production")

    def read(self, seconds: float) -> tuple[list[Listed], Unavailable | None]:
        """What it yields, and how it ended."""
        found: list[Listed] = []
        try:
            deadline = Deadline.after(seconds)
            for each in self.book.listed(self._pipeline, self._stage, NOW, deadline):
                found.append(each)
        except Unavailable as error:
            return found, error
        return found, None

    def known(self) -> int:
        """How many bundles were judged and did not count."""
        return len(self.book.rejections(self._pipeline, self._stage))


def test_a_line_is_judged_until_then_and_no_further(tmp_path: Path) -> None:
    line = Line(tmp_path, LateSource([b"junk", b"more junk", b"and more", SIGNED]))
    found, failure = line.read(0.3)

    assert (found, line.known()) == ([], 1)
    assert failure is not None
    assert failure.code == Code.DEADLINE


def test_what_was_judged_by_then_is_told_and_kept(tmp_path: Path) -> None:
    line = Line(tmp_path, LateSource([SIGNED, b"junk", b"more junk"]))
    found, failure = line.read(0.3)
    assert [each.digest for each in found] == [RELEASE.statement.digest]
    assert failure is not None

    # What is known takes no time: whoever asks again comes further.
    for known in (1, 2):
        assert line.read(0.3)[0] == found
        assert line.known() == known


def test_in_time_it_is_all_of_it(tmp_path: Path) -> None:
    line = Line(tmp_path, MemorySource([b"junk", SIGNED, b"more junk"]))
    found, failure = line.read(60)

    assert (len(found), line.known(), failure) == (1, 2, None)


def test_an_object_of_what_was_not_looked_at_is_undetermined(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.released()
    source = ReleaseSource(LateSource([b"junk", SIGNED]), DirectoryBlobs(tmp_path))
    unknown = altered(CONFIG, metadata__name="unknown")
    decision = world.judge(unknown, verifier=world.verifier(source), seconds=0.2)

    assert decision.answer is Answer.UNDETERMINED
    assert "DEADLINE" in codes(decision)


@pytest.mark.parametrize("seconds", [0.3, 60.0])
def test_a_claim_is_looked_for_until_then(tmp_path: Path, seconds: float) -> None:
    bundles = [b"junk"] * 3
    late = LateSource(bundles) if seconds < 1 else MemorySource(bundles)
    source = ReleaseSource(late, DirectoryBlobs(tmp_path))
    with pytest.raises(Unavailable) as caught:
        claimed([source], NOWHERE, RELEASE.artifact_digest, Deadline.after(seconds))

    wanted = Code.DEADLINE if seconds < 1 else Code.REGISTRY_UNAVAILABLE
    assert caught.value.code == wanted
