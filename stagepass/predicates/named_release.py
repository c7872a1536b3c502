"""The member `release`: which release a statement about an image speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stagepass.digest import Digest
from stagepass.predicates.members import mapping
from stagepass.predicates.release import sha256


@dataclass(frozen=True, slots=True)
class NamedRelease:
    """A release by its digest, and by its image set, which is what the stages share."""

    digest: Digest
    image_set: Digest

    @classmethod
    def parse(cls, predicate: Mapping[str, Any]) -> NamedRelease | None:
        """Of a pass, which names both; None where it names no release."""
        if "release" not in predicate:
            return None
        release = mapping(predicate, "release")
        return cls(sha256(release, "digest", "release"), sha256(release, "imageSet", "release"))

    def to_json(self) -> dict[str, Any]:
        """As a pass names it."""
        return {**release_member(self.digest), "imageSet": {"sha256": self.image_set.hex}}


def release_digest(predicate: Mapping[str, Any]) -> Digest | None:
    """Of a receipt or an approval, which name a release by its digest alone; None where they do not."""
    if "release" not in predicate:
        return None
    return sha256(mapping(predicate, "release"), "digest", "release")


def release_member(digest: Digest) -> dict[str, Any]:
    """What `release_digest` reads."""
    return {"digest": {"sha256": digest.hex}}
