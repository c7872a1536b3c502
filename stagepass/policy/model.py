"""A policy set as values: who may sign, what each stage asks for, and the rules for everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from stagepass.attestor import KeyRing
from stagepass.decision import Enforcement
from stagepass.digest import ImageRef
from stagepass.manifest import Custom
from stagepass.policy.attestors import Attestor, Key
from stagepass.policy.releases import ManifestMode, ReleaseRule
from stagepass.policy.revocations import Revocations
from stagepass.policy.source import Source
from stagepass.policy.windows import Window
from stagepass.stage import ImagePattern, NamespacePattern, Place


class Condition(Protocol):
    """A compiled `where`, kept abstract here so that only a set that has one loads the engine."""

    text: str

    def judge(self, predicate: Mapping[str, Any], *, name: str, digest: str, now: datetime) -> bool:
        """Whether it holds. Raises `AttestationError` with `CONDITION_ERROR`."""
        ...


@dataclass(frozen=True, slots=True)
class AttestationRequirement:
    """
    Some statement of `predicate_type`, signed by one of the attestors `signers`.

    `where` must hold for it. `time` is the path of the predicate's member that dates it (its names),
    which `max_age` counts from.
    """

    name: str
    signers: tuple[str, ...]
    predicate_type: str
    where: Condition | None = None
    time: tuple[str, ...] | None = None
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRequirement:
    """
    Approvals by `threshold` distinct owners of the attestors `signers`.

    An owner of one of `not_by` does not count: who built it does not wave it through.
    """

    signers: tuple[str, ...]
    threshold: int = 1
    not_by: tuple[str, ...] = ()
    max_age: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Edge:
    """
    A stage that comes before. `soak` and `max_age` bind each cluster's pass of it.

    `any_cluster`: the pass of one of its clusters is enough, not of all.
    """

    stage: str
    soak: timedelta | None = None
    max_age: timedelta | None = None
    any_cluster: bool = False


@dataclass(frozen=True, slots=True)
class BreakGlassRule:
    """Who may excuse a stage's requirements in an emergency, how many of them, and for how long."""

    signers: tuple[str, ...]
    threshold: int
    max_duration: timedelta


@dataclass(frozen=True, slots=True)
class Stage:
    """
    One stage of a pipeline: its places, who signs that it was passed, and what entering it needs.

    `cluster_uids` holds the UID of those clusters for which the policy gives one. `allow_shared` is
    the stated reason why its signers may sign for another stage too; only lint asks.
    """

    name: str
    clusters: tuple[str, ...]
    namespaces: tuple[NamespacePattern, ...]
    signed_by: tuple[str, ...] = ()
    after: tuple[Edge, ...] = ()
    requires: tuple[AttestationRequirement, ...] = ()
    approvals: tuple[ApprovalRequirement, ...] = ()
    windows: tuple[Window, ...] = ()
    break_glass: BreakGlassRule | None = None
    enforcement: Enforcement = Enforcement.ENFORCE
    cluster_uids: Mapping[str, str] = field(default_factory=dict, hash=False)
    allow_shared: str = ""
    source: Source | None = None
    manifests: ManifestMode = ManifestMode.OFF
    release: ReleaseRule | None = None

    def names(self, place: Place) -> bool:
        """Whether `place` is one of this stage's."""
        return place.cluster in self.clusters and any(
            pattern.matches(place.namespace) for pattern in self.namespaces
        )

    def is_cluster(self, name: str, uid: str | None) -> bool:
        """Whether a statement from that cluster is from one of ours: by name, and UID where we have it."""
        return name in self.clusters and self.cluster_uids.get(name, uid) == uid


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

    def before(self, stage: Stage) -> list[Edge]:
        """
        An edge to every ancestor of `stage`, nearest first.

        Its own edges as written; of the others, one for each ancestor, which needs all clusters unless
        every edge that leads there is content with any. Soak and age bind a stage's own edges alone.
        """
        found: dict[str, Edge] = {edge.stage: edge for edge in stage.after}
        queue = [edge.stage for edge in stage.after]
        for name in queue:
            for edge in self.stage(name).after:
                known = found.get(edge.stage)
                if known is None:
                    queue.append(edge.stage)
                    found[edge.stage] = Edge(edge.stage, any_cluster=edge.any_cluster)
                elif known.any_cluster and not edge.any_cluster:
                    found[edge.stage] = Edge(edge.stage, known.soak, known.max_age)
        return list(found.values())


@dataclass(frozen=True, slots=True)
class Baseline:
    """
    A floor under listed and unlisted images alike: it adds requirements and never admits.

    `images` None means every image, `clusters` None every cluster.
    """

    name: str
    images: tuple[ImagePattern, ...] | None
    namespaces: tuple[NamespacePattern, ...]
    clusters: frozenset[str] | None
    requires: tuple[AttestationRequirement, ...]

    def applies(self, image: ImageRef, place: Place) -> bool:
        """Whether it is a floor under `image` in `place`."""
        return (
            (self.clusters is None or place.cluster in self.clusters)
            and any(pattern.matches(place.namespace) for pattern in self.namespaces)
            and (self.images is None or any(pattern.matches(image) for pattern in self.images))
        )


@dataclass(frozen=True, slots=True)
class Exemption:
    """Images that need nothing in these namespaces, for a stated reason and time."""

    namespaces: tuple[NamespacePattern, ...]
    images: tuple[ImagePattern, ...]
    allow_tags: bool
    reason: str
    expires: datetime

    def applies(self, image: ImageRef, place: Place, now: datetime) -> bool:
        """AND across its keys, OR within; a tag only where it says so; not once expired."""
        return (
            now < self.expires
            and (self.allow_tags or image.digest is not None)
            and any(pattern.matches(place.namespace) for pattern in self.namespaces)
            and any(pattern.matches(image) for pattern in self.images)
        )


@dataclass(frozen=True, slots=True)
class PolicySet:
    """
    A loaded set. `revision` is the hex sha256 of its files; `keys` holds every key once.

    `issued` and `expires` bound a signed set's life, None for one that is not signed. Attributes for
    one of `csi_drivers` name no image. `trust_roots` are the hex sha256 of their files, by name.
    """

    revision: str
    attestors: Mapping[str, Attestor]
    pipelines: tuple[Pipeline, ...]
    unlisted: Enforcement
    keys: KeyRing
    baselines: tuple[Baseline, ...] = ()
    exempt: tuple[Exemption, ...] = ()
    revocations: Revocations | None = None
    issued: datetime | None = None
    expires: datetime | None = None
    sequence: int = 0
    csi_drivers: frozenset[str] = frozenset()
    custom_resources: Custom = field(default_factory=dict, hash=False)
    trust_roots: Mapping[str, str] = field(default_factory=dict, hash=False)

    def is_ageing(self, now: datetime) -> bool:
        """Whether 80 % of a signed set's life is over: time to sign it again."""
        if self.issued is None or self.expires is None:
            return False
        return now >= self.issued + (self.expires - self.issued) * 0.8

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
        listed = (pattern.host for p in self.pipelines for pattern in p.images)
        floors = (pattern.host for b in self.baselines for pattern in b.images or ())
        rules = (s.release for p in self.pipelines for s in p.stages if s.release)
        return frozenset((*listed, *floors, *(rule.host for rule in rules if rule.host)))

    def all_keys(self) -> Iterator[tuple[Attestor, Key]]:
        """Every key with the attestor that lists it."""
        for attestor in self.attestors.values():
            for key in attestor.keys:
                yield attestor, key

    def entries(self, names: Iterable[str]) -> Iterator[Key]:
        """Every key and identity of these attestors."""
        for name in names:
            yield from self.attestors[name].keys

    def owners(self, names: Iterable[str]) -> frozenset[str]:
        """Everybody behind these attestors."""
        return frozenset(key.owner for key in self.entries(names))
