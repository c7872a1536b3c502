from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.defaults import FILE, generate
from tests.cluster.recording import Recorder

pytestmark = pytest.mark.cluster


def test_the_table_of_defaults_is_what_the_api_server_does(tmp_path: Path) -> None:
    """Byte for byte: a new version of Kubernetes shows here which members it treats anew."""
    generated, committed = generate(tmp_path).decode(), FILE.read_text()
    changes = unified_diff(committed.splitlines(), generated.splitlines(), lineterm="", n=0)
    assert generated == committed, "\n".join(["run `make defaults`", *list(changes)[:40]])


def test_an_object_that_could_never_be_stored_is_recorded_with_its_defaults(
    control_plane: ControlPlane,
) -> None:
    hollow = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{}]}}
    with Recorder(control_plane, {"pods"}, "Mutating") as recorder:
        shown = recorder.record("/api/v1/namespaces/{namespace}/pods", hollow)

    assert shown["spec"]["containers"][0]["terminationMessagePath"] == "/dev/termination-log"
    made = control_plane.kubectl("get", "pods", "-n", recorder.namespace, "-o", "name")
    assert made.stdout == ""
