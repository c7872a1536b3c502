"""
`stages[].manifests` and `stages[].release`: which objects a stage admits, and who says what they are.

Here also stands what is known of one object's manifest, which `evaluate` is given as a *claim*.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from stagepass.decision import Code
from stagepass.digest import Digest, ImageRef

Kind = tuple[str, str]
"""(group, kind); the core group is ""."""


def kind_text(kind: Kind) -> str:
    """`GROUP/KIND` as policy writes it; a core kind bare."""
    group, name = kind
    return f"{group}/{name}" if group else name


DEFAULT_KINDS: frozenset[Kind] = frozenset(
    {
        *(("", kind) for kind in ("Pod", "ReplicationController", "PodTemplate", "Service")),
        *(("", kind) for kind in ("ConfigMap", "Secret", "PersistentVolumeClaim")),
        *(("apps", kind) for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")),
        *(("batch", kind) for kind in ("Job", "CronJob")),
        *(("networking.k8s.io", kind) for kind in ("Ingress", "NetworkPolicy")),
        *(("rbac.authorization.k8s.io", kind) for kind in ("Role", "RoleBinding")),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("policy", "PodDisruptionBudget"),
    }
)
"""The kinds in scope where a stage names none."""


class ManifestMode(Enum):
    """Whether objects must equal a signed release: not at all, told only, or required."""

    OFF = "off"
    WARN = "warn"
    REQUIRED = "required"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class AllowedField:
    """
    A subtree of objects of `kinds` which anybody may add, change or remove, for a stated reason.

    `pointer` holds the unescaped steps of an RFC 6901 pointer; `*` is any member or item, and in a
    list `name=web` is the item whose member `name` is `web`.
    """

    kinds: frozenset[Kind]
    pointer: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class AllowedContainer:
    """A container or init container of this image (with a digest) that a Pod or template may gain."""

    image: ImageRef
    reason: str


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """
    Whose releases a stage's objects must equal, where those lie, and what else may differ.

    `signers` are attestors. `repository` is `HOST/PATH` without tag or digest; None where releases are
    read from directories and the mirror alone. `kinds` are in scope. `salted`: a Secret's values may
    be part of a release, as salted digests.
    """

    signers: tuple[str, ...]
    repository: str | None = None
    kinds: frozenset[Kind] = DEFAULT_KINDS
    salted: bool = False
    fields: tuple[AllowedField, ...] = ()
    containers: tuple[AllowedContainer, ...] = ()

    @property
    def host(self) -> str | None:
        """The registry that holds the releases, if any does."""
        return None if self.repository is None else self.repository.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Attested:
    """
    The object equals one of this release, whose images are this set (both digests of RFC 8785).

    `signer` is the owner of the key that signed it, `payload_digest` that of its statement, `until`
    when that key ends, which counts at entry as that of any other key.
    """

    release: Digest
    image_set: Digest
    signer: str = ""
    payload_digest: Digest | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unattested:
    """
    The object equals none: `code` is `MANIFEST_UNATTESTED` or `MANIFEST_DIFFERS`.

    `path` is the field of the object, `message` what was got and wanted; never a Secret's value.
    """

    code: Code
    message: str
    path: str = ""
    fix: str = ""


Claim = Attested | Unattested
"""What is known of an object's manifest."""
NO_CLAIMS: Mapping[str, Claim] = MappingProxyType({})
"""By pipeline: nothing is known, so the image alone is judged."""
