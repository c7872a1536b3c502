"""`kind: CustomResources`: where the images of a custom resource are, from the file to the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stagepass.admission import judge_object
from stagepass.decision import Answer, Code
from stagepass.evidence import Deadline
from stagepass.manifest import ImagePaths
from stagepass.policy.diff import diff
from stagepass.policy.load import PolicyError, load
from stagepass.verifier import Verifier
from tests.core.objects import containers, pod, request
from tests.core.sources import MemorySource
from tests.policy_tools.full import full_set
from tests.world import IMAGE, NOW, OTHER_IMAGE, POLICY, good_evidence, policy_files

ROLLOUT = {"group": "argoproj.io", "kind": "Rollout", "podTemplates": ["spec.template"]}
TASK = {"group": "tekton.dev", "kind": "Task", "images": ["spec.steps[*].image", "spec.image"]}
_LOADED = """\
{0}
---
apiVersion: stagepass.dev/v1
kind: CustomResources
resources:
  - {{group: argoproj.io, kind: Rollout, podTemplates: [spec.template]}}
  - {{group: tekton.dev, kind: Task, images: ["spec.steps[*].image"]}}
"""


def document(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "stagepass.dev/v1",
        "kind": "CustomResources",
        "resources": list(resources),
    }


def errors(*documents: dict[str, Any]) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        full_set(None, *documents)
    return [error.message for error in caught.value.errors]


def test_documents_add_up() -> None:
    assert full_set(None, document(ROLLOUT), document(TASK)).custom_resources == {
        ("argoproj.io", "Rollout"): ImagePaths((("spec", "template"),)),
        ("tekton.dev", "Task"): ImagePaths(
            (), (("spec", "steps", "*", "image"), ("spec", "image"))
        ),
    }
    assert full_set().custom_resources == {}


@pytest.mark.parametrize(
    ("resources", "error"),
    [
        ([ROLLOUT, TASK, ROLLOUT], "'Rollout' of 'argoproj.io' stands twice"),
        ([{**ROLLOUT, "group": "apps", "kind": "Deployment"}], "the images of 'Deployment' are"),
        ([{"group": "x.io", "kind": "X"}], "nothing says where its images are"),
    ],
)
def test_a_kind_is_named_once_and_with_its_images(
    resources: list[dict[str, Any]], error: str
) -> None:
    (found,) = errors(document(*resources))
    assert found.startswith(error)


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "$.spec.image",
        "spec..image",
        "spec.image.",
        "spec[0].image",
        "[*].image",
        "spec.*.image",
        "spec.image\n",
        "spec[*]image",
    ],
)
def test_a_path_is_members_and_lists_and_no_more(path: str) -> None:
    assert errors(document({**TASK, "images": [path]}))


def test_an_image_more_is_stricter() -> None:
    old, new = full_set(None, document(ROLLOUT)), full_set(None, document(TASK))

    assert [(str(c.effect), c.where, c.message) for c in diff(old, new)] == [
        (
            "looser",
            "set",
            "custom resources: Rollout.argoproj.io podTemplates spec.template is gone",
        ),
        ("stricter", "set", "custom resources: Task.tekton.dev images spec.image is added"),
        (
            "stricter",
            "set",
            "custom resources: Task.tekton.dev images spec.steps[*].image is added",
        ),
    ]


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        (
            "argoproj.io/v1 Rollout",
            {"template": {"spec": {"containers": containers("{}")}}},
            "spec.template.spec.containers[0].image",
        ),
        (
            "tekton.dev/v1 Task",
            {"steps": [{"image": str(IMAGE)}, {"image": "{}"}]},
            "spec.steps[1].image",
        ),
    ],
)
def test_a_custom_resource_is_judged_like_a_workload(
    kind: str, spec: dict[str, Any], path: str
) -> None:
    policy = load(policy_files(_LOADED.format(POLICY)), "r")
    verifier = Verifier(policy, [MemorySource(good_evidence())])

    def judge(image: str) -> Any:
        api_version, name = kind.split()
        filled = json.loads(json.dumps(spec).replace("{}", image))
        new = {**pod(filled), "apiVersion": api_version, "kind": name}
        return judge_object(verifier, "staging", request(new), now=NOW, deadline=Deadline.after(60))

    assert judge(str(IMAGE)).answer is Answer.ADMITTED
    denied = judge(str(OTHER_IMAGE))
    assert (denied.answer, {v.path for v in denied.violations}) == (Answer.DENIED, {path})
    assert judge("r.io/a").answer is Answer.DENIED


def test_a_kind_that_the_policy_does_not_name_has_no_images() -> None:
    verifier = Verifier(full_set(), [MemorySource()])
    new = {**pod({"image": "r.io/a"}), "apiVersion": "tekton.dev/v1", "kind": "Task"}

    decision = judge_object(verifier, "test", request(new), now=NOW, deadline=Deadline.after(60))
    assert decision.notes == (Code.NO_IMAGES,)
