"""What hostile Git content (G01-G34) does to a running applier and its cluster: nothing but be refused."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.applier.hostile import CANARY
from tests.applier.hostile_objects import OBJECTS, HostileObject
from tests.cluster.delivery import APPLIER
from tests.cluster.hostile_rows import ROWS, Row
from tests.cluster.hostile_trees import HARMLESS, Trees, make_trees

pytestmark = pytest.mark.cluster

_SECONDS = 480.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """After all rows stood still, and both harmless applications were delivered twice."""

    trees: Trees
    reasons: dict[str, list[tuple[str, str]]]
    commits: dict[str, str]
    connections: int
    before: set[str]
    after: dict[str, dict[str, Any]]
    """By kind, namespace and name."""


@pytest.fixture(scope="module")
def outcome() -> Iterator[Outcome]:
    with (
        tempfile.TemporaryDirectory(prefix="trees-") as folder,
        make_trees(Path(folder)) as (trees, elsewhere),
    ):
        before = set(_objects(trees))
        _wait(trees, {name: _head(trees, name) for name in HARMLESS})
        trees.delivery.wait(lambda: {row.name for row in ROWS} <= trees.reasons().keys(), _SECONDS)
        assert trees.arm_mirrors() == len(HARMLESS)
        commits = trees.write_harmless("2")
        _wait(trees, commits)
        yield Outcome(
            trees, trees.reasons(), commits, elsewhere.connections, before, _objects(trees)
        )


def _head(trees: Trees, name: str) -> str:
    return str(trees.repositories[name].head("main"))


def _wait(trees: Trees, commits: dict[str, str]) -> None:
    """Until both harmless applications run those."""
    trees.delivery.wait(
        lambda: all(trees.last(name).get("applied") == c for name, c in commits.items()), _SECONDS
    )


def _objects(trees: Trees) -> dict[str, dict[str, Any]]:
    """Everything in the API server but events, by kind, namespace and name."""
    kubectl = trees.delivery.cluster.kubectl
    listed = kubectl("api-resources", "--verbs=list", "-o", "name").stdout.split()
    kinds = ",".join(name for name in listed if not name.startswith("events"))
    items = json.loads(kubectl("get", kinds, "-A", "-o", "json").stdout)["items"]
    return {_identity(each): each for each in items}


def _identity(document: dict[str, Any]) -> str:
    metadata = document["metadata"]
    return f"{document['kind']} {metadata.get('namespace', '-')}/{metadata['name']}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.title} ({row.name})")
def test_a_hostile_row_stands_still_for_its_reason_and_is_never_applied(
    row: Row, outcome: Outcome
) -> None:
    said = outcome.reasons[row.name]
    refused = [message for reason, message in said if not reason.startswith("GIT_")]

    assert {reason for reason, _ in said} <= set(row.reasons)
    assert [message for message in refused if row.says not in message] == []
    assert outcome.trees.last(row.name)["applied"] is None


_BROUGHT = ("inert", "gone", "patched")


def test_what_must_be_inert_is_delivered_as_it_is_written(outcome: Outcome) -> None:
    """G01-G04, G07, G08, G16, G23, G27: attributes, hooks, refs, patches, environment, kubeconfig."""
    data = {name: outcome.after[f"ConfigMap shop/{name}"]["data"] for name in _BROUGHT}

    assert data == {
        "inert": {"a": "$Format:%H$ $Id$", "at": "2"},
        "gone": {"at": "2"},
        "patched": {"a": "b", "patched": "2"},
    }


def test_the_api_server_holds_nothing_else(outcome: Outcome) -> None:
    new = {name for name in outcome.after.keys() - outcome.before if f" {APPLIER}/" not in name}

    assert new <= {f"ConfigMap shop/{name}" for name in _BROUGHT}
    assert outcome.before <= outcome.after.keys()


def test_nothing_else_was_even_tried(outcome: Outcome) -> None:
    """By the API server's own record: no write, no dry run, no review."""
    own = f"/api/v1/namespaces/{APPLIER}/"
    tried = {path for path in outcome.trees.writes() if not path.startswith(own)}
    lease = f"/apis/coordination.k8s.io/v1/namespaces/{APPLIER}/leases"

    assert {path for path in tried if not path.startswith(lease)} == {
        f"/api/v1/namespaces/shop/configmaps/{name}" for name in _BROUGHT
    }


@pytest.mark.parametrize(
    "hostile", [v for v in OBJECTS if v.accepted], ids=lambda v: f"{v.id} {v.name}"
)
def test_nothing_but_the_applier_was_in_its_way(hostile: HostileObject, outcome: Outcome) -> None:
    """G31, G33, G34: the API server would have taken it from the source's account."""
    done = outcome.trees.delivery.cluster.kubectl(
        *("apply", "--server-side", "--dry-run=server", "-f", "-"),
        "--as=system:serviceaccount:shop:deployer",
        stdin=json.dumps(hostile.document),
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_in_the_appliers_own_namespace_are_its_records_alone(outcome: Outcome) -> None:
    own = {name for name in outcome.after if f" {APPLIER}/" in name} - outcome.before

    assert {name.split()[0] for name in own} <= {"ConfigMap", "Lease"}


def test_no_canary_was_read(outcome: Outcome) -> None:
    """Neither the files beside a root nor the process's environment, nor a file of the host."""
    host = Path("/etc/passwd").read_text().splitlines()[0]
    written = [json.dumps(each) for each in outcome.after.values()]
    written.append(outcome.trees.delivery.log_file.read_text())

    assert not [text for text in written if CANARY in text or host in text]


def test_no_trap_was_sprung_and_nobody_was_called(outcome: Outcome) -> None:
    sprung = outcome.trees.sprung

    assert not sprung.exists(), sprung.read_text()
    assert outcome.connections == 0
    assert outcome.trees.delivery.is_running


def test_git_was_asked_for_the_repositories_of_the_policy_alone(outcome: Outcome) -> None:
    asked = {each.path.split(".git/")[0].strip("/") for each in outcome.trees.server.requests}
    base = outcome.trees.server.base
    named = [url for url, _, _ in outcome.trees.sources.values() if url.startswith(f"{base}/")]

    assert asked == {url.removeprefix(f"{base}/").removesuffix(".git") for url in named}
