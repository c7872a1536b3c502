"""`stages[].source`: what the applier may apply in a stage, from which repository, and as whom."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

from stagepass.errors import InputError

_URL = re.compile(
    r"(?:https?|ssh)://(?:[A-Za-z0-9._~-]+@)?(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?/[^\s?#]+"
    r"|file:///[^\s?#]+",
    re.ASCII,
)
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_ALL_OR_NOTHING, _WHAT_CAN_BE = "all-or-nothing", "what-can-be"
APPLY_RULES: Mapping[str, bool] = {_ALL_OR_NOTHING: True, _WHAT_CAN_BE: False}
"""What one invalid object among many does: whether nothing is applied then."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """Whose rights bound what the source may do; the applier acts as it by impersonation."""

    namespace: str
    name: str

    @property
    def user(self) -> str:
        """The user name that an API server knows it by."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """
    A signed commit at `ref` (`refs/heads/heartbeat`) that says which head of the source its writer saw.

    One that is older than `max_age` says nothing any more. `ssh_signers` and `gpg_signers` are as those
    of the source, who sign it where both are None.
    """

    ref: str
    max_age: timedelta
    ssh_signers: bytes | None = None
    gpg_signers: bytes | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """
    A directory of a Git repository.

    `ref` is a full name (`refs/heads/main`). `path`, with `root` above it, is relative to the
    repository and normal; "" is the repository's own directory, and no file outside `root` is read.
    `ssh_signers` is an allowed-signers file, `gpg_signers` armored keys; without both, any commit will
    do. `cluster_kinds` are the (group, kind) without a namespace that may be brought, `takeover` the
    identities whose fields are taken from another field manager. Without a `heartbeat`, a server that
    withholds commits is not told from a quiet one.
    """

    git: str
    ref: str
    path: str
    root: str
    account: ServiceAccount
    ssh_signers: bytes | None = None
    gpg_signers: bytes | None = None
    all_or_nothing: bool = True
    cluster_kinds: frozenset[tuple[str, str]] = frozenset()
    takeover: frozenset[str] = frozenset()
    needs_sandbox: bool = True
    heartbeat: Heartbeat | None = None

    @property
    def apply_rule(self) -> str:
        """A key of `APPLY_RULES`."""
        return _ALL_OR_NOTHING if self.all_or_nothing else _WHAT_CAN_BE


def parse_url(text: str) -> str:
    """A URL that Git is given. Raises `InputError` for `ext::` and whatever else could run something."""
    if not _URL.fullmatch(text) or ".." in text or text.startswith("-"):
        hint = "like https://git.example.com/shop/deploy.git, without a password"
        raise InputError(f"{text[:200]!r} is not the URL of a Git repository", hint=hint)
    return text


def parse_ref(text: str) -> str:
    """A branch's or tag's name as Git itself restricts it. Raises `InputError`."""
    parts = text.split("/")
    bad = any(not p or p.startswith(".") or p.endswith((".", ".lock")) for p in parts)
    if not _REF.fullmatch(text) or bad or ".." in text:
        raise InputError(f"{text[:200]!r} is not the name of a branch or tag", hint="like main")
    return text


def parse_path(text: str) -> str:
    """A directory inside the repository, normalised; `.` is its root. Raises `InputError`."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or "\\" in text or not text.isprintable():
        raise InputError(
            f"{text[:200]!r} is not a directory of the repository", hint="like production"
        )
    return "" if str(path) == "." else str(path)


def parse_account_namespace(text: str) -> str:
    """A namespace whose accounts may be acted as: never one that runs the cluster or the gate."""
    if not _NAME.fullmatch(text) or "." in text:
        raise InputError(f"{text[:200]!r} is not the name of a namespace", hint="like shop")
    if text.startswith(("kube-", "stagepass-")):
        raise InputError(
            f"no source may act as an account of {text!r}", hint="an account of the stage's own"
        )
    return text


def parse_name(text: str) -> str:
    """The name of an object. Raises `InputError`."""
    if not _NAME.fullmatch(text):
        raise InputError(f"{text[:200]!r} is not the name of an object", hint="like deployer")
    return text


def parse_kind(text: str) -> tuple[str, str]:
    """`Kind` of the core group, or `Kind.group`, as (group, kind). Raises `InputError`."""
    kind, _, group = text.partition(".")
    if not kind[:1].isupper() or not kind.isalnum():
        hint = "like Namespace or ClusterRole.rbac.authorization.k8s.io"
        raise InputError(f"{text[:200]!r} is not a kind", hint=hint)
    return group, kind


def is_below(path: str, root: str) -> bool:
    """Whether `path` is `root` or below it, both as `parse_path` gives them."""
    return not root or path == root or path.startswith(f"{root}/")
