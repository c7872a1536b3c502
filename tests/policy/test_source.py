"""`stages[].source`: what the applier may apply, read from the policy set and nowhere else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from stagepass.policy.load import PolicyError
from stagepass.policy.source import Heartbeat, ServiceAccount, Source
from tests.policy_tools.full import full_set
from tests.world import DROP

SOURCE = "pipeline.stages.2.source"


def _source(stage: str, changes: dict[str, Any] | None = None) -> Source:
    found = full_set(changes).pipelines[0].stage(stage).source
    assert found is not None
    return found


def test_every_field_is_read() -> None:
    assert _source("production") == Source(
        git="https://git.example.com/shop/deploy.git",
        ref="refs/heads/main",
        path="apps/production",
        root="apps",
        account=ServiceAccount("shop", "deployer"),
        ssh_signers=b"dev ssh-ed25519 AAAA",
        gpg_signers=b"armor",
        all_or_nothing=True,
        cluster_kinds=frozenset({("", "Namespace"), ("rbac.authorization.k8s.io", "ClusterRole")}),
        takeover=frozenset({"apps/Deployment/shop/web"}),
        needs_sandbox=True,
        heartbeat=Heartbeat(
            ref="refs/heads/heartbeat",
            max_age=timedelta(hours=12),
            ssh_signers=b"beat ssh-ed25519 AAAA",
            gpg_signers=b"beat armor",
        ),
    )


def test_what_is_not_written_has_the_safe_default() -> None:
    source = _source("staging")

    assert (source.ref, source.path, source.root) == ("refs/tags/v1", "", "")
    assert source.all_or_nothing
    assert source.needs_sandbox
    assert not source.cluster_kinds
    assert not source.takeover
    assert full_set().pipelines[0].stage("test").source is None


def test_a_plain_ref_is_a_branch() -> None:
    assert _source("production", {f"{SOURCE}.ref": "release"}).ref == "refs/heads/release"


def test_a_heartbeat_is_the_commit_signers_to_sign_and_counts_for_a_day() -> None:
    found = _source("production", {f"{SOURCE}.heartbeat": {"ref": "beat"}}).heartbeat

    assert found == Heartbeat("refs/heads/beat", timedelta(hours=24))


@pytest.mark.parametrize("signers", [DROP, {}])
def test_a_heartbeat_that_nobody_signs_is_refused(signers: Any) -> None:
    """The server that withholds commits would write it itself."""
    changes = {f"{SOURCE}.commitSigners": signers, f"{SOURCE}.heartbeat.signers": DROP}

    with pytest.raises(PolicyError, match="so could the Git server"):
        full_set(changes)


def test_without_a_root_nothing_above_the_path_is_read() -> None:
    assert _source("production", {f"{SOURCE}.root": DROP}).root == "apps/production"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        # ext:: runs a command, and so did hosts and paths that begin with a dash (CVE-2017-1000117)
        ("git", "ext::sh -c id", "is not the URL of a Git repository"),
        ("git", "--upload-pack=id", "is not the URL of a Git repository"),
        ("git", "git@host:shop.git", "is not the URL of a Git repository"),
        ("git", "https://bot:secret@git.example.com/a", "is not the URL of a Git repository"),
        ("git", "https://git.example.com/../a", "is not the URL of a Git repository"),
        ("git", "ftp://git.example.com/a", "is not the URL of a Git repository"),
        ("ref", "--upload-pack=x", "is not the name of a branch or tag"),
        ("ref", "a/../b", "is not the name of a branch or tag"),
        ("ref", "x" * 4096, "is not the name of a branch or tag"),
        ("ref", "main.lock", "is not the name of a branch or tag"),
        ("ref", {"branch": "a", "tag": "b"}, "one branch or one tag"),
        ("ref", {}, "one branch or one tag"),
        ("path", "../other", "is not a directory of the repository"),
        ("path", "/etc", "is not a directory of the repository"),
        ("path", "a\\b", "is not a directory of the repository"),
        ("root", "team-b", "is not below"),
        ("serviceAccount.namespace", "kube-system", "no source may act as an account of"),
        ("serviceAccount.namespace", "stagepass-system", "no source may act as an account of"),
        ("serviceAccount.name", "system:masters", "is not the name of an object"),
        ("clusterScoped", ["namespace"], "is not a kind"),
        ("commitSigners.ssh", "keys/none", "there is no file"),
        ("commitSigners.ssh", "../keys/ci.pub", "there is no file"),
        ("heartbeat.ref", "main", "would be deployed"),
        ("heartbeat.ref", "-x", "is not the name of a branch or tag"),
        ("heartbeat.maxAge", "1 day", "is not a duration"),
        ("heartbeat.signers.ssh", "keys/none", "there is no file"),
        ("apply", "force", "is none of"),
        ("sandbox", "off", "is none of"),
        ("prune", "always", "unknown key"),
    ],
)
def test_what_cannot_be_meant_is_refused(field: str, value: Any, message: str) -> None:
    with pytest.raises(PolicyError) as refused:
        full_set({f"{SOURCE}.{field}": value})

    assert any(message in str(error) for error in refused.value.errors)


@pytest.mark.parametrize("field", ["git", "ref", "path", "serviceAccount"])
def test_what_is_needed_must_be_written(field: str) -> None:
    with pytest.raises(PolicyError, match=f"the key '{field}' is missing"):
        full_set({f"{SOURCE}.{field}": DROP})
