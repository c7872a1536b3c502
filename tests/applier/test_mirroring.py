"""What is brought into the cluster: what admits the target, and what ran before until that has passed."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest

from applier.failure import Failure, Reason
from applier.goal import Rendered
from applier.mirroring import Collecting, to_keep
from applier.state import State, Version
from stagepass.evidence import DirectorySource
from stagepass.packed_evidence import unpack
from tests.applier.released import GREEN, VERSION, Place
from tests.core.gated import OBJECTS
from tests.release.samples import CONFIG, DEPLOYMENT, altered
from tests.world import NOW

A, B, C = (Version(letter * 40, letter * 40) for letter in "abc")


@pytest.mark.parametrize(
    ("state", "kept", "found"),
    [
        (State(), (), ()),
        (State(applied=A, passed=A), (A,), (A,)),
        (State(applied=C, passed=A), (C, A), (A,)),
        (State(applied=C, passed=A), (), (A,)),  # the process is new
        (State(applied=C), (C, A), (A,)),  # what never passes, by break-glass say, runs as well
        (State(applied=B, passed=A), (B, A), (A, B)),
        (State(applied=C, passed=A), (C, A, B), (A, B)),
        (State(applied=C, passed=C), (C, A, B), ()),
    ],
)
def test_what_ran_before_is_kept_until_the_target_has_passed(
    state: State, kept: tuple[Version, ...], found: tuple[Version, ...]
) -> None:
    assert to_keep(C, state, kept) == found


class Site:
    """Two releases of the same images: one runs, and the other comes."""

    def __init__(self, root: Path, *more: dict[str, Any]) -> None:
        self.place = Place(root)
        self.versions = {A: OBJECTS, VERSION: (DEPLOYMENT, GREEN, *more)}
        self.releases = {v: self.place.world.released(*o) for v, o in self.versions.items()}
        self.sources = (DirectorySource(root),)

    def rendered(self, version: Version) -> Rendered:
        if version not in self.versions:
            raise Failure(Reason.GIT_UNAVAILABLE, "no such commit")
        return Rendered(version, tuple(self.place.prepared(self.versions[version])))

    def packed(self, *older: Version) -> tuple[set[bytes], str]:
        """The releases among what is packed, and what is said."""
        verifier = self.place.world.verifier()
        collecting = Collecting(self.place.application, verifier, self.sources, NOW)
        packed, left_out = collecting.packed(self.rendered(VERSION), older, self.rendered)
        return set(unpack(packed).blobs.values()), left_out


def test_both_releases_are_brought_until_the_new_one_has_rolled_out(tmp_path: Path) -> None:
    site = Site(tmp_path)
    new, old = site.releases[VERSION].data, site.releases[A].data

    assert site.packed(A) == ({new, old}, "")
    assert site.packed() == ({new}, "")


def test_only_what_ran_before_is_left_out_where_both_do_not_fit(tmp_path: Path) -> None:
    noise = [
        altered(CONFIG, metadata__name=f"n{i}", data={"n": secrets.token_urlsafe(600_000)})
        for i in range(2)
    ]
    site = Site(tmp_path, noise[0])
    site.versions[A] = (*OBJECTS, noise[1])
    site.releases[A] = site.place.world.released(*site.versions[A])

    found, left_out = site.packed(A)

    assert found == {site.releases[VERSION].data}
    assert A.commit in left_out
    assert "one ConfigMap holds" in left_out


def test_what_ran_before_and_cannot_be_rendered_holds_the_target_up_in_nothing(
    tmp_path: Path,
) -> None:
    site = Site(tmp_path)

    found, left_out = site.packed(B, A)

    assert found == {site.releases[VERSION].data, site.releases[A].data}
    assert left_out == f"{B.commit}: GIT_UNAVAILABLE: no such commit"
