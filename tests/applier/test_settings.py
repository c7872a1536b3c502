"""Settings of the policy's way: what is fed by somebody else is taken by the root key's word alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from applier.settings import Settings
from stagepass.errors import InputError
from stagepass.policy.packed import PACKED_FILE
from tests.world import signer

URL = "https://git.example.com/policy.git"


@pytest.fixture
def usable(tmp_path: Path) -> dict[str, str]:
    """Settings that will do, without a policy repository."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "cluster.key").write_bytes(signer("ci").private_pem)
    (tmp_path / "cluster.key").chmod(0o600)
    (tmp_path / "root.pub").write_bytes(signer("root").public_pem)
    return {
        "STAGEPASS_CLUSTER": "test",
        "STAGEPASS_POLICY": str(tmp_path / "policy"),
        "STAGEPASS_KEY": str(tmp_path / "cluster.key"),
        "STAGEPASS_STATE_DIR": str(tmp_path),
        "STAGEPASS_KUBECTL": "true",
        "DOCKER_CONFIG": str(tmp_path),
    }


def test_a_repository_needs_a_root_key(usable: dict[str, str], tmp_path: Path) -> None:
    fed = {**usable, "STAGEPASS_POLICY_GIT": URL}
    with pytest.raises(InputError, match="STAGEPASS_POLICY_ROOT_KEY: is not set"):
        Settings.from_environ(fed)

    settings = Settings.from_environ(
        {**fed, "STAGEPASS_POLICY_ROOT_KEY": str(tmp_path / "root.pub")}
    )

    assert settings.policy_git is not None
    assert settings.policy_git.git == URL
    assert settings.policy_git.ref == "refs/heads/main"
    assert settings.policy_git.root == ""


def test_a_delivered_set_needs_a_root_key(usable: dict[str, str], tmp_path: Path) -> None:
    assert Settings.from_environ(usable).policy_root_key is None
    (tmp_path / "policy" / PACKED_FILE).write_bytes(b"")

    with pytest.raises(InputError, match="STAGEPASS_POLICY_ROOT_KEY: is not set"):
        Settings.from_environ(usable)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GIT", "ext::sh -c id"),
        ("GIT", "https://user:secret@git.example.com/policy.git"),
        ("REF", "--upload-pack=id"),
        ("REF", "a..b"),
        ("PATH", "../other"),
        ("PATH", "/etc"),
    ],
)
def test_what_is_no_place_in_a_repository_is_refused_by_name(
    usable: dict[str, str], tmp_path: Path, name: str, value: str
) -> None:
    fed = {"STAGEPASS_POLICY_GIT": URL, "STAGEPASS_POLICY_ROOT_KEY": str(tmp_path / "root.pub")}

    with pytest.raises(InputError, match=f"STAGEPASS_POLICY_{name}: "):
        Settings.from_environ({**usable, **fed, f"STAGEPASS_POLICY_{name}": value})


def test_a_full_name_of_a_ref_is_kept(usable: dict[str, str], tmp_path: Path) -> None:
    fed = {"STAGEPASS_POLICY_GIT": URL, "STAGEPASS_POLICY_ROOT_KEY": str(tmp_path / "root.pub")}
    found = Settings.from_environ({**usable, **fed, "STAGEPASS_POLICY_REF": "refs/tags/v1"})

    assert found.policy_git is not None
    assert found.policy_git.ref == "refs/tags/v1"
