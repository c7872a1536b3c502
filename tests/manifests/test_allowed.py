from __future__ import annotations

import copy
from typing import Any

import pytest

from stagepass.manifests.compare import differences
from stagepass.policy.releases import ReleaseRule
from tests.manifests.samples import IMAGE, MESH, REMOVED, an, deployment, put, rule

ATTESTED = deployment(replicas=2)
POD = "spec.template.spec"
WEB = f"{POD}.containers[0]"


def paths(live: Any, allowed: ReleaseRule, attested: Any = ATTESTED) -> list[str]:
    return [each.path for each in differences(attested, live, allowed)]


@pytest.mark.parametrize("what", [5, REMOVED, "x", None, {"x": "y"}])
def test_anybody_may_change_what_a_pointer_names(what: Any) -> None:
    assert paths(put(ATTESTED, "spec.replicas", what), rule("/spec/replicas")) == []


@pytest.mark.parametrize(
    ("pointer", "where", "what", "named"),
    [
        ("/spec/replicas", "spec.paused", True, ["spec.paused"]),
        ("/spec/replica", "spec.replicas", 3, ["spec.replicas"]),
        ("/spec/replicas/x", "spec.replicas", 3, ["spec.replicas"]),
        ("/replicas", "spec.replicas", 3, ["spec.replicas"]),
        ("/*", "spec.replicas", 3, []),
        ("/*/replicas", "spec.replicas", 3, []),
        ("/*/*/*", "spec.replicas", 3, ["spec.replicas"]),
        ("/spec/*/spec", f"{WEB}.tty", True, []),
        ("/spec/*", f"{WEB}.tty", True, []),
        # Items by name, by place, all; never by what the live item claims to be.
        ("/spec/template/spec/containers/name=web/env", f"{WEB}.env[+]", {"name": "X"}, []),
        ("/spec/template/spec/containers/name=web/env", f"{WEB}.args[0]", "x", [f"{WEB}.args[0]"]),
        ("/spec/template/spec/containers/name=other/tty", f"{WEB}.tty", True, [f"{WEB}.tty"]),
        ("/spec/template/spec/containers/0/tty", f"{WEB}.tty", True, []),
        ("/spec/template/spec/containers/1/tty", f"{WEB}.tty", True, [f"{WEB}.tty"]),
        ("/spec/template/spec/containers/-/tty", f"{WEB}.tty", True, [f"{WEB}.tty"]),
        ("/spec/template/spec/containers/*/tty", f"{WEB}.tty", True, []),
        ("/spec/template/spec/containers/*/env/name=MODE", f"{WEB}.env[0].value", "x", []),
        (
            "/spec/template/spec/containers/*/env/name=MODE",
            f"{WEB}.env[1].value",
            "x",
            [f"{WEB}.env[1].value"],
        ),
        (
            "/spec/template/spec/containers/*/env/name=X",
            f"{WEB}.env[+]",
            {"name": "X", "value": "y"},
            [],
        ),
        (
            "/spec/template/spec/containers/*/env/name=X",
            f"{WEB}.env[+]",
            {"name": "Y"},
            [f"{WEB}.env[2]"],
        ),
        ("/spec/template/spec/containers/*/env/name=MODE", f"{WEB}.env[0]", REMOVED, []),
        # Above what is opened nothing else may be: it is there for its sake, or not at all.
        ("/spec/template/spec/tolerations/*", f"{POD}.tolerations", [{"operator": "Exists"}], []),
        ("/spec/template/spec/dnsConfig/searches", f"{POD}.dnsConfig", {"searches": ["x"]}, []),
        (
            "/spec/template/spec/dnsConfig/searches",
            f"{POD}.dnsConfig",
            {"nameservers": ["x"]},
            [f"{POD}.dnsConfig"],
        ),
        (
            "/spec/template/spec/dnsConfig/searches",
            f"{POD}.dnsConfig",
            {"searches": ["x"], "nameservers": ["y"]},
            [f"{POD}.dnsConfig.nameservers"],
        ),
        ("/spec/template/spec/affinity/podAffinity", f"{POD}.affinity", {}, [f"{POD}.affinity"]),
        ("/metadata/labels/team", "metadata.labels.team", "x", []),
        ("/metadata/annotations/a.example~1b", "metadata.annotations", {"a.example/b": "x"}, []),
        (
            "/metadata/annotations/a.example~1b",
            "metadata.annotations",
            {"a.example/c": "x"},
            ["metadata.annotations[a.example/c]"],
        ),
        ("/metadata/annotations", "metadata.annotations", {"x": "y"}, []),
        ("/metadata/name=web", "metadata.name", "x", ["metadata.name"]),
    ],
)
def test_a_pointer_opens_what_it_names_and_no_more(
    pointer: str, where: str, what: Any, named: list[str]
) -> None:
    assert paths(put(ATTESTED, where, what), rule(pointer)) == named


def test_an_item_that_takes_the_name_of_an_opened_one() -> None:
    """The release says which item stands there."""
    live = put(ATTESTED, f"{WEB}.name", "proxy")
    live = put(live, f"{WEB}.command", ["sh", "serve"])

    found = paths(live, rule("/spec/template/spec/containers/name=proxy/command"))

    assert found == [f"{WEB}.command[0]", f"{WEB}.name"] or found == [
        f"{WEB}.name",
        f"{WEB}.command[0]",
    ]


def test_the_kind_counts() -> None:
    live = put(ATTESTED, "spec.replicas", 3)

    assert paths(live, rule("/spec/replicas", kinds=(("apps", "StatefulSet"),))) == [
        "spec.replicas"
    ]
    assert paths(live, rule("/spec/replicas", kinds=(("", "Deployment"),))) == ["spec.replicas"]


def test_what_is_opened_may_be_removed_with_what_holds_it() -> None:
    attested = put(ATTESTED, f"{POD}.dnsConfig", {"searches": ["x"]})

    assert paths(ATTESTED, rule("/spec/template/spec/dnsConfig/searches"), attested) == []
    more = put(attested, f"{POD}.dnsConfig.nameservers", ["y"])
    assert paths(ATTESTED, rule("/spec/template/spec/dnsConfig/searches"), more) == [
        f"{POD}.dnsConfig.nameservers"
    ]


@pytest.mark.parametrize(
    ("list_name", "changes", "allowed"),
    [
        ("containers", {}, True),
        ("containers", {"args": ["x"], "env": [{"name": "X"}]}, True),
        ("containers", {"securityContext": {"capabilities": {"add": ["NET_ADMIN"]}}}, True),
        ("containers", {"image": MESH.replace("proxy@", "proxy:v1@")}, True),
        ("containers", {"image": MESH.replace("b" * 64, "c" * 64)}, False),
        ("containers", {"image": MESH.replace("mesh.", "evil.")}, False),
        ("containers", {"image": "mesh.example.com/proxy:v1"}, False),
        ("containers", {"image": IMAGE}, False),
        ("containers", {"image": 5}, False),
        ("containers", {"image": REMOVED}, False),
        ("containers", {"name": "web"}, False),
        ("containers", {"command": ["sh"]}, False),
        ("containers", {"lifecycle": {"postStart": {"exec": {"command": ["sh"]}}}}, False),
        ("containers", {"livenessProbe": {"exec": {"command": ["sh"]}}}, False),
        ("containers", {"securityContext": {"privileged": True}}, False),
        ("containers", {"securityContext": {"privileged": "true"}}, False),
        ("ephemeralContainers", {}, False),
    ],
)
def test_a_container_is_added_by_its_image(
    list_name: str, changes: dict[str, Any], allowed: bool
) -> None:
    proxy = {"name": "proxy", "image": MESH, **changes}
    proxy = {name: value for name, value in proxy.items() if value is not REMOVED}
    live = copy.deepcopy(ATTESTED)
    live["spec"]["template"]["spec"].setdefault(list_name, []).append(proxy)

    assert (paths(live, rule(containers=(MESH,))) == []) is allowed


def test_an_init_container_where_the_release_has_none() -> None:
    attested = put(ATTESTED, f"{POD}.initContainers", REMOVED)
    live = put(attested, f"{POD}.initContainers", [{"name": "init", "image": MESH}])

    assert paths(live, rule(containers=(MESH,)), attested) == []
    assert paths(live, rule(), attested) == [f"{POD}.initContainers[0]"]


def test_no_container_outside_of_a_pod() -> None:
    """In a custom resource, `spec.containers` is whatever its owner says."""
    attested = an("shop.example/v1", "Cart", spec={"containers": []})
    live = put(attested, "spec.containers", [{"name": "proxy", "image": MESH}])

    assert paths(live, rule(containers=(MESH,)), attested) == ["spec.containers[0]"]


def test_a_container_in_place_of_one_of_the_release() -> None:
    live = put(ATTESTED, f"{POD}.containers[0]", {"name": "proxy", "image": MESH})

    assert f"{WEB}.image" in paths(live, rule(containers=(MESH,)))
