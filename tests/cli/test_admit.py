"""`admit`: whatever a file holds, every object in it is judged as the webhook would judge it."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Result, Shop
from tests.core.objects import containers, pod, review, workload
from tests.world import DROP, IMAGE, OTHER_IMAGE, changed, write_policy

GOOD, BAD = pod({"containers": containers(str(IMAGE))}), pod({"containers": containers("x:1")})
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
BROKEN = pod({})


@pytest.fixture
def proven(shop: Shop) -> Shop:
    shop.prove()
    return shop


def admit(shop: Shop, *contents: Any, options: tuple[str, ...] = ()) -> Result:
    """Each content in a file of its own: text and bytes as they are, the rest as JSON."""
    names = []
    for index, content in enumerate(contents):
        text = content if isinstance(content, (str, bytes)) else json.dumps(content)
        path = shop.root / f"{index}.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        names.append(str(path))
    return shop.decide("admit", *names, "--cluster", "prod-eu", *options)


def documents(*objects: Any) -> str:
    return yaml.safe_dump_all(objects)


def listed(*items: Any, kind: str = "List") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "items": list(items)}


@pytest.mark.parametrize(
    ("objects", "code"),
    [
        ([GOOD], 0),
        ([BAD], 1),
        ([BROKEN], 2),
        ([CONFIG], 0),
        ([GOOD, CONFIG], 0),
        ([GOOD, BAD], 1),
        ([BROKEN, GOOD], 2),
        ([BROKEN, BAD, GOOD], 1),
    ],
)
def test_with_several_objects_the_worst_answer_is_the_exit_code(
    proven: Shop, objects: list[Any], code: int
) -> None:
    """Denied is worse than undetermined; files, documents and items are all the same."""
    for result in (
        admit(proven, *objects),
        admit(proven, documents(*objects)),
        admit(proven, listed(*objects)),
        admit(proven, documents(listed(*objects))),
        admit(proven, *(review(o) for o in objects)),
    ):
        assert result.code == code
        assert len(result.lines) == len(objects)


def test_the_lines_are_in_the_order_of_the_input_each_with_its_object(proven: Shop) -> None:
    deployment = workload("apps/v1", "Deployment", {"containers": containers(str(IMAGE))})
    result = admit(proven, listed(deployment, CONFIG), BAD)

    assert [(line["object"], line["decision"]) for line in result.lines] == [
        (
            {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "cart"},
            "admitted",
        ),
        (
            {"group": "", "kind": "ConfigMap", "namespace": "default", "name": "settings"},
            "admitted",
        ),
        ({"group": "", "kind": "Pod", "namespace": "shop", "name": "cart"}, "denied"),
    ]
    assert [line["input"] for line in result.lines] == [
        *(str(proven.root / "0.yaml"), str(proven.root / "0.yaml"), str(proven.root / "1.yaml"))
    ]
    (violation,) = result.lines[2]["violations"]
    assert (violation["path"], violation["code"]) == ("spec.containers[0].image", "UNLISTED")


@pytest.mark.parametrize(
    ("own", "options", "namespace"),
    [
        ("shop", (), "shop"),
        ("shop", ("--namespace", "other"), "shop"),
        (None, ("--namespace", "shop-blue"), "shop-blue"),
        (None, (), "default"),
        ("", (), "default"),
    ],
)
def test_the_namespace_of_a_manifest_is_its_own_or_the_given_or_default(
    proven: Shop, own: str | None, options: tuple[str, ...], namespace: str
) -> None:
    manifest = changed(GOOD, {"metadata.namespace": DROP if own is None else own})
    result = admit(proven, manifest, options=options)

    assert result.line["object"]["namespace"] == namespace
    assert result.code == (0 if namespace.startswith("shop") else 1)


def test_the_namespace_of_a_review_is_the_requests(proven: Shop) -> None:
    result = admit(proven, review(GOOD, namespace="elsewhere"), options=("--namespace", "shop"))

    assert result.line["object"]["namespace"] == "elsewhere"
    assert result.line["violations"][0]["code"] == "UNLISTED"


def test_a_review_is_judged_by_its_operation(proven: Shop) -> None:
    for operation, old, note in (
        ("DELETE", BAD, "NO_IMAGES"),
        ("UPDATE", BAD, "UNCHANGED"),
    ):
        line = admit(proven, review(BAD, old, operation=operation)).line
        assert (line["decision"], line["notes"]) == ("admitted", [note])
    assert admit(proven, review(BAD, BAD, operation="CREATE")).code == 1


def test_a_review_may_be_written_as_yaml_or_stand_in_a_list(proven: Shop) -> None:
    assert admit(proven, documents(review(GOOD), review(BAD))).code == 1
    assert admit(proven, listed(review(GOOD), review(BAD))).code == 1
    broken = changed(review(GOOD), {"apiVersion": "admission.k8s.io/v1beta1"})
    assert admit(proven, listed(broken)).code == 64


@pytest.mark.parametrize(
    "changes",
    [
        {"apiVersion": "admission.k8s.io/v1beta1"},
        {"apiVersion": DROP},
        {"request": DROP},
        {"request.uid": DROP},
        {"request.operation": "PATCH"},
        {"request.kind": "Pod"},
        {"request.object": "text"},
    ],
)
def test_a_review_that_the_webhook_would_answer_with_400_is_64(
    proven: Shop, changes: dict[str, Any]
) -> None:
    result = admit(proven, changed(review(GOOD), changes))

    assert (result.code, result.out) == (64, "")
    assert "0.yaml: " in result.err


@pytest.mark.parametrize(
    "content",
    [
        "",
        "---\n---\n",
        "text",
        "7",
        "[]",
        "[{}]",
        "{}",
        "{",
        '{"apiVersion": "v1"}',
        '{"kind": "Pod"}',
        '{"kind": "Pod", "kind": "Pod", "apiVersion": "v1"}',
        '{"apiVersion": "v1", "kind": "Pod"} {}',
        "kind: Pod\nkind: Pod\n",
        "apiVersion: v1\nkind: Pod\nspec: {<<: {containers: []}}\n",
        "apiVersion: v1\nkind: Pod\nspec: !!map {}\n",
        "apiVersion: v1\nkind: Pod\n1: x\n",
        "apiVersion: v1\nkind: Pod\n--- x\n",
        b"\xff\xfe",
        b"\x00\x01",
        json.dumps(listed()),
        json.dumps({"apiVersion": "v1", "kind": "List"}),
        json.dumps({"apiVersion": "v1", "kind": "List", "items": None}),
        json.dumps({"apiVersion": "v1", "kind": "List", "items": {"a": GOOD}}),
        json.dumps({"apiVersion": "v1", "kind": "PodList", "items": "x"}),
        json.dumps(listed("text")),
        json.dumps(listed(None)),
        json.dumps(listed({"metadata": {}})),
        json.dumps(listed(listed(listed(listed(listed(BAD)))))),
    ],
)
def test_what_holds_no_objects_or_not_only_objects_is_64(
    proven: Shop, content: str | bytes
) -> None:
    """Nothing judged must never read as nothing wrong."""
    result = admit(proven, content)

    assert (result.code, result.out) == (64, "")
    assert "0.yaml" in result.err


def test_a_bad_file_leaves_no_half_answer_for_the_good_one_before_it(proven: Shop) -> None:
    result = admit(proven, GOOD, "{")

    assert (result.code, result.out) == (64, "")


@pytest.mark.parametrize("kind", ["List", "PodList", "DeploymentList", "Anything"])
def test_whatever_has_items_is_a_list_as_kubectl_reads_it(proven: Shop, kind: str) -> None:
    """An object of any kind with items is applied item by item."""
    assert admit(proven, listed(GOOD, BAD, kind=kind)).code == 1
    assert admit(proven, listed(listed(listed(BAD)), kind=kind)).code == 1


def test_a_kind_that_ends_like_a_list_and_has_no_items_is_an_object(proven: Shop) -> None:
    allow = {"apiVersion": "example.com/v1", "kind": "AllowList", "spec": {}}

    assert admit(proven, allow).line["object"]["kind"] == "AllowList"


def test_anchors_in_manifests_are_expanded_before_they_are_judged(proven: Shop) -> None:
    text = """\
apiVersion: v1
kind: Pod
metadata: {name: cart, namespace: shop}
spec:
  containers: &all [{name: c, image: "IMAGE"}]
  initContainers: *all
"""
    for image, code in ((IMAGE, 0), (OTHER_IMAGE, 1)):
        result = admit(proven, text.replace("IMAGE", str(image)))
        assert result.code == code
        assert result.line["required"] == 6


def test_json_of_any_layout_and_comments_in_yaml_are_read(proven: Shop) -> None:
    assert admit(proven, "\n\n  " + json.dumps(GOOD, indent=4) + "\n").code == 0
    assert admit(proven, "# a comment\n---\n# another\n" + yaml.safe_dump(GOOD)).code == 0


def test_a_dash_reads_standard_input(proven: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    data = io.BytesIO(json.dumps(listed(GOOD, BAD)).encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
    result = proven.decide("admit", "-", "--cluster", "prod-eu")

    assert (result.code, len(result.lines)) == (1, 2)
    assert result.lines[0]["input"] == "-"


def test_a_file_that_is_not_there_is_64(proven: Shop) -> None:
    result = proven.decide("admit", "absent.yaml", "--cluster", "prod-eu")

    assert result.code == 64
    assert "absent.yaml: cannot read: No such file or directory" in result.err
    assert proven.decide("admit", str(proven.root), "--cluster", "prod-eu").code == 64


def test_files_and_a_cluster_must_be_given(proven: Shop) -> None:
    assert proven.decide("admit", "--cluster", "prod-eu").code == 64
    assert proven.decide("admit", "x.yaml").code == 64


def test_a_cluster_that_no_stage_names_admits_no_image(proven: Shop) -> None:
    (proven.root / "x.json").write_text(json.dumps(GOOD))
    result = proven.decide("admit", str(proven.root / "x.json"), "--cluster", "elsewhere")

    assert result.code == 1
    assert (result.line["allowed"], result.line["enforcement"]) == (False, "enforce")


def test_a_name_in_a_file_cannot_forge_a_line_or_steer_the_terminal(proven: Shop) -> None:
    hostile = changed(BAD, {"metadata.name": "x\nadmitted  Pod shop/x\x1b[2J"})
    hostile = changed(hostile, {"metadata.namespace": "a\x1b[2J\nb"})
    (proven.root / "x.json").write_text(json.dumps(hostile))
    result = proven.run(
        *("admit", str(proven.root / "x.json"), "--cluster", "prod-eu"),
        *("--policy", str(proven.policy), "--evidence", f"dir:{proven.evidence}"),
    )

    assert result.code == 1
    assert "\x1b" not in result.out
    assert not any(line.startswith("admitted") for line in result.out.splitlines())


def test_exit_codes_follow_the_decision_before_enforcement(proven: Shop) -> None:
    write_policy(proven.policy, {"pipeline.stages.2.enforcement": "audit"})
    result = admit(proven, BAD)

    assert (result.code, result.line["allowed"]) == (1, True)
