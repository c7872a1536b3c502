"""A gate whose policy is delivered: packed, by somebody whom it need not trust."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stagepass.policy.packed import PACKED_FILE, pack, unpack
from stagepass.policy.store import read_directory, sign_directory
from tests.webhook.reviews import create
from tests.webhook.server import Server, wait_until
from tests.webhook.shop import Shop
from tests.webhook.test_settings import _refused, _start
from tests.world import DAY, signer

_SECONDS = 10.0
_WARN = {"pipeline.stages.1.enforcement": "warn"}
ROOT = signer("root")


class Mount:
    """The mounted ConfigMap: `policy` is what the gate is given."""

    def __init__(self, directory: Path, shop: Shop) -> None:
        self.shop, self.policy = shop, directory / "volume"
        self.policy.mkdir()
        (directory / "root.pub").write_bytes(ROOT.public_pem)
        self.root_key = str(directory / "root.pub")
        (directory / "state").mkdir()
        self.state = str(directory / "state")

    def signed(self, changes: dict[str, Any] | None = None, by: str = "root") -> bytes:
        """The shop's set with `changes`, signed anew, packed."""
        self.shop.write(self.shop.variant(changes or {}))
        now = datetime.now(UTC)
        sign_directory(self.shop.policy, signer(by).private, issued=now, expires=now + DAY)
        return pack(read_directory(self.shop.policy))

    def put(self, packed: bytes) -> bytes:
        """As the kubelet does: a new directory, and one rename."""
        version = self.policy / f"..{len(list(self.policy.iterdir()))}"
        version.mkdir()
        (version / PACKED_FILE).write_bytes(packed)
        new = self.policy / "..data_tmp"
        new.symlink_to(version.name)
        new.rename(self.policy / "..data")
        if not (self.policy / PACKED_FILE).exists():
            (self.policy / PACKED_FILE).symlink_to(f"..data/{PACKED_FILE}")
        return packed


@pytest.fixture
def mount(tmp_path: Path, shop: Shop) -> Mount:
    return Mount(tmp_path, shop)


def gate(tmp_path: Path, mount: Mount, *, has_key: bool = True) -> Server:
    """One with the root key, else one that has nothing to check a set by, and expects none."""
    return Server(
        tmp_path,
        mount.shop,
        ready=has_key,
        POLICY=str(mount.policy),
        POLICY_ROOT_KEY=mount.root_key if has_key else "",
        STATE_DIR=mount.state,
    )


def allowed(server: Server) -> bool:
    """Of an image that nobody attested, in `staging`."""
    verdict: bool = server.judge(create(server.shop.image()))["allowed"]
    return verdict


def problem(server: Server) -> str:
    text: str = server.get("/readyz").json["problem"]
    return text


def test_a_delivered_set_is_enforced_and_swapped(tmp_path: Path, mount: Mount) -> None:
    mount.put(mount.signed())
    with gate(tmp_path, mount) as server:
        assert not allowed(server)

        mount.put(mount.signed(_WARN))

        wait_until(lambda: allowed(server), _SECONDS)


def test_a_gate_without_a_root_key_does_not_start_on_a_delivered_set(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / PACKED_FILE).write_bytes(b"whatever is in it")

    line = _refused(
        _start(tmp_path, {"STAGEPASS_POLICY": str(volume)}), "STAGEPASS_POLICY_ROOT_KEY"
    )

    assert f"is not set, and {volume} holds a delivered set" in line


def test_a_set_that_is_delivered_later_is_not_taken_without_a_root_key(
    tmp_path: Path, mount: Mount
) -> None:
    with gate(tmp_path, mount, has_key=False) as server:
        mount.put(mount.signed(_WARN))

        wait_until(lambda: PACKED_FILE in problem(server), _SECONDS)
        assert "STAGEPASS_POLICY_ROOT_KEY is not set" in problem(server)
        answer = server.judge(create(mount.shop.image()))
        assert not answer["allowed"]
        assert "POLICY_INVALID" in answer["status"]["message"]


@pytest.mark.parametrize("attack", ["unsigned", "altered", "other key", "older", "noise", "gone"])
def test_whoever_may_write_the_config_map_makes_no_rules(
    tmp_path: Path, mount: Mount, attack: str
) -> None:
    older = mount.signed(_WARN)
    mount.put(mount.signed())
    with gate(tmp_path, mount) as server:
        before = server.get("/readyz").json["policyRevision"]
        good = unpack((mount.policy / PACKED_FILE).read_bytes())
        warn = mount.shop.variant(_WARN).encode()
        (mount.shop.policy / "policy-set.sigstore.json").unlink()
        if attack == "gone":
            (mount.policy / PACKED_FILE).unlink()
        else:
            mount.put(
                {
                    "unsigned": lambda: pack({**read_directory(mount.shop.policy)}),
                    "altered": lambda: pack({**good, "policy.yaml": warn}),
                    "other key": lambda: mount.signed(_WARN, by="stranger"),
                    "older": lambda: older,
                    "noise": lambda: b"#" * 5000,
                }[attack]()
            )

        wait_until(lambda: problem(server), _SECONDS)

        assert not allowed(server)
        assert server.get("/readyz").json["policyRevision"] == before
