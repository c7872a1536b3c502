"""A policy set as values: attestors, pipelines of stages, and the rule for places nobody names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from stagepass.attestor import KeyRing, PublicKey
from stagepass.decision import Enforcement
from stagepass.digest import ImageRef
from stagepass.stage import ImagePattern, NamespacePattern, Place, ancestors


@dataclass(frozen=True, slots=True)
class Key:
    """
    One signing key of one owner.

    `clusters` binds its passes to those clusters, None leaves it free. The window is the key's own
    (`valid_from` inclusive, `valid_until` exclusive), None open.
    """

    public: PublicKey
    owner: str
    clusters: frozenset[str] | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def valid_at(self, now: datetime) -> bool:
        """Whether the key's window holds `now`."""
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or now < self.valid_until
        )

    def counts_in(self, cluster: str) -> bool:
        """Whether its passes count for `cluster`."""
        return self.clusters is None or cluster in self.clusters


@dataclass(frozen=True, slots=True)
class Attestor:
    """A named signer: any of its keys may sign, so rotation is an overlap."""

    name: str
    keys: tuple[Key, ...]

    def key(self, key_id: str) -> Key | None:
        """Its key of that id."""
        return next((key for key in self.keys if key.public.id == key_id), None)


@dataclass(frozen=True, slots=True)
class AttestationRequirement:
    """Some statement of `predicate_type`, signed by one of the attestors `signers`."""

    name: str
    signers: tuple[str, ...]
    predicate_type: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A stage that comes before. `soak` and `max_age` bind each cluster's pass of it."""

    stage: str
    soak: timedelta | None = None
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """
    One stage of a pipeline: its places, who signs that it was passed, and what entering it needs.

    `allow_shared` is the stated reason why its signers may sign for another stage too; only lint asks.
    """

    name: str
    clusters: tuple[str, ...]
    namespaces: tuple[NamespacePattern, ...]
    signed_by: tuple[str, ...] = ()
    after: tuple[Edge, ...] = ()
    requires: tuple[AttestationRequirement, ...] = ()
    enforcement: Enforcement = Enforcement.ENFORCE
    allow_shared: str = ""

    def names(self, place: Place) -> bool:
        """Whether `place` is one of this stage's."""
        return place.cluster in self.clusters and any(
            pattern.matches(place.namespace) for pattern in self.namespaces
        )


@dataclass(frozen=True, slots=True)
class Pipeline:
    """An ordered set of stages for the images that match."""

    name: str
    images: tuple[ImagePattern, ...]
    stages: tuple[Stage, ...]

    def stage(self, name: str) -> Stage:
        """The stage of that name. Raises `KeyError`."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def covers(self, image: ImageRef) -> bool:
        """Whether the image is one of this pipeline's."""
        return any(pattern.matches(image) for pattern in self.images)

    def before(self, stage: Stage) -> list[Stage]:
        """All ancestors of `stage`, nearest first."""
        after = {s.name: [edge.stage for edge in s.after] for s in self.stages}
        return [self.stage(name) for name in ancestors(stage.name, after)]


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A loaded set. `revision` is the hex sha256 of its files; `keys` holds every key once."""

    revision: str
    attestors: Mapping[str, Attestor]
    pipelines: tuple[Pipeline, ...]
    unlisted: Enforcement
    keys: KeyRing

    def at(self, place: Place) -> Iterator[tuple[Pipeline, Stage]]:
        """Every stage that names `place`, with its pipeline."""
        for pipeline in self.pipelines:
            for stage in pipeline.stages:
                if stage.names(place):
                    yield pipeline, stage

    def clusters(self) -> frozenset[str]:
        """Every cluster that some stage names."""
        return frozenset(c for p in self.pipelines for s in p.stages for c in s.clusters)

    def hosts(self) -> frozenset[str]:
        """The registries the policy names: no other is ever asked (DESIGN section 6.4)."""
        return frozenset(pattern.host for p in self.pipelines for pattern in p.images)

    def all_keys(self) -> Iterator[tuple[Attestor, Key]]:
        """Every key with the attestor that lists it."""
        for attestor in self.attestors.values():
            for key in attestor.keys:
                yield attestor, key
