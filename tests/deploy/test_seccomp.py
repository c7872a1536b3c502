"""The profile that lets the applier render Kustomize in a Pod; `make images` tries it with a runtime."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.deploy.base import DEPLOY, documents

FILE = DEPLOY / "applier" / "seccomp" / "stagepass-applier.json"
_NEW_USER, _NEW_NET, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_NAMESPACES = 0x7E020000
"""Every CLONE_NEW* of clone(2)."""


@pytest.fixture
def profile() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def rules(profile: dict[str, Any], name: str) -> list[list[dict[str, Any]]]:
    """The conditions of each rule about a call."""
    return [rule.get("args", []) for rule in profile["syscalls"] if name in rule["names"]]


def test_what_is_not_listed_is_refused_as_a_call_that_the_kernel_does_not_have(
    profile: dict[str, Any],
) -> None:
    """ENOSYS, so that glibc falls back from clone3 and the like, whose arguments no filter can see."""
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert {rule["action"] for rule in profile["syscalls"]} == {"SCMP_ACT_ALLOW"}


def test_no_call_is_listed_that_a_user_namespace_makes_dangerous(profile: dict[str, Any]) -> None:
    listed = {name for rule in profile["syscalls"] for name in rule["names"]}
    dangerous = (
        "mount umount2 pivot_root move_mount open_tree fsopen fsmount mount_setattr setns clone3 "
        "bpf keyctl add_key request_key ptrace process_vm_readv process_vm_writev perf_event_open "
        "userfaultfd io_uring_setup io_uring_enter kexec_load init_module finit_module personality "
        "mknod mknodat open_by_handle_at name_to_handle_at sethostname reboot swapon "
    )

    assert not listed & set(dangerous.split())


def test_the_one_way_into_new_namespaces_is_the_renderers(profile: dict[str, Any]) -> None:
    (unshare,), (clone,) = rules(profile, "unshare"), rules(profile, "clone")

    assert unshare == [{"index": 0, "op": "SCMP_CMP_EQ", "value": _NEW_USER | _NEW_NET | _NEW_IPC}]
    assert clone == [{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": _NAMESPACES, "valueTwo": 0}]
    assert rules(profile, "chroot") == [[]]


def test_no_socket_reaches_netlink_packets_or_raw_ip(profile: dict[str, Any]) -> None:
    """In a user namespace they lead to nftables and traffic control, where most of its exploits were."""
    found = [
        (family["value"], kind["value"], kind["valueTwo"])
        for family, kind in rules(profile, "socket")
    ]

    assert found == [(family, 15, kind) for family in (1, 2, 10) for kind in (1, 2)]


def test_the_component_names_the_file_and_changes_nothing_else() -> None:
    (component,) = documents(DEPLOY / "applier-kustomize" / "kustomization.yaml")
    (patch,) = component["patches"]
    pod = yaml.safe_load(patch["patch"])["spec"]["template"]["spec"]

    assert component["kind"] == "Component"
    assert pod == {
        "containers": [
            {
                "name": "applier",
                "securityContext": {
                    "seccompProfile": {"type": "Localhost", "localhostProfile": FILE.name}
                },
            }
        ]
    }
