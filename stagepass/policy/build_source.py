"""`stages[].source` from what the file says to the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stagepass.policy.schema import At, Problems
from stagepass.policy.source import Heartbeat, ServiceAccount, Source, is_below

ReadFile = Callable[[At, str], bytes | None]


def build_source(
    raw: Mapping[str, Any] | None, read: ReadFile, problems: Problems
) -> Source | None:
    """The source, None where there is none or a problem was reported. `read` gives a file of the set."""
    if raw is None:
        return None
    at: At = raw["@"]
    path, root = raw["path"] or "", raw["root"]
    root = path if root is None else root
    if not is_below(path, root):
        problems.add(at.member("root"), f"{path!r} is not below {root!r}", "a directory above path")
    signers = raw["commitSigners"]
    account, ref = raw["serviceAccount"], _ref(raw["ref"], at.member("ref"), problems)
    heartbeat = _heartbeat(raw["heartbeat"], ref, signers, read, problems)
    if account is None or ref is None or raw["git"] is None:
        return None
    return Source(
        git=raw["git"],
        ref=ref,
        path=path,
        root=root,
        account=ServiceAccount(account["namespace"], account["name"]),
        ssh_signers=_file(signers, "ssh", read),
        gpg_signers=_file(signers, "gpg", read),
        all_or_nothing=raw["apply"],
        cluster_kinds=frozenset(raw["clusterScoped"]),
        takeover=frozenset(raw["takeover"]),
        needs_sandbox=raw["sandbox"],
        heartbeat=heartbeat,
    )


def _ref(raw: Mapping[str, Any] | None, at: At, problems: Problems) -> str | None:
    if raw is None:
        return None
    branch, tag = raw["branch"], raw["tag"]
    if (branch is None) == (tag is None):
        problems.add(at, "a ref is one branch or one tag", "ref: main, or ref: {tag: v1}")
        return None
    return f"refs/heads/{branch}" if branch else f"refs/tags/{tag}"


def _heartbeat(
    raw: Mapping[str, Any] | None,
    ref: str | None,
    signers: Mapping[str, Any] | None,
    read: ReadFile,
    problems: Problems,
) -> Heartbeat | None:
    """None where there is none or a problem was reported; `ref` and `signers` are the source's."""
    if raw is None or raw["ref"] is None or raw["maxAge"] is None:
        return None
    at: At = raw["@"]
    own, branch = raw["signers"], f"refs/heads/{raw['ref']}"
    if branch == ref:
        message = "a heartbeat at the branch that is deployed would be deployed"
        problems.add(at.member("ref"), message, "a branch of its own, like heartbeat")
    if not any(given and (given["ssh"] or given["gpg"]) for given in (own, signers)):
        message = "whoever may push could write the heartbeat, and so could the Git server"
        problems.add(at, message, "add signers here, or commitSigners to the source")
    return Heartbeat(
        ref=branch,
        max_age=raw["maxAge"],
        ssh_signers=_file(own, "ssh", read),
        gpg_signers=_file(own, "gpg", read),
    )


def _file(signers: Mapping[str, Any] | None, name: str, read: ReadFile) -> bytes | None:
    if signers is None or signers[name] is None:
        return None
    at: At = signers["@"]
    return read(at.member(name), signers[name])
