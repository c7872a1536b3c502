"""
Mutated AdmissionReviews, and what no answer to them may be.

The oracle reads the review with a decoder and a walk of its own: none of the gate's code says what
the gate must do.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from stagepass.digest import Digest
from tests.fuzz.gate import Gate
from tests.fuzz.mutate import damaged, mutated, text_of, with_duplicate
from tests.webhook.reviews import WORKLOADS, Json, containers, pod_spec, review, update, workload
from tests.webhook.shop import HOST

_UID = "705ab4f5-6393-11e8-b7cc-42010a800002"
_TAGGED = f"{HOST}/shop/web:1"
_NOT_ENFORCED = ("preview", "watched")
_LISTS = ("containers", "initContainers", "ephemeralContainers")
_STEPS = {(version.rpartition("/")[0], kind): steps for kind, (version, steps) in WORKLOADS.items()}


class Wrong(AssertionError):
    """An answer that must not be."""


def execute(gate: Gate, seed: int) -> str:
    """One review; how it ended: `allowed`, `refused` or `400`. Raises `Wrong`."""
    rng = Random(seed)  # noqa: S311  # to be seen again
    body, is_duplicate = _body(gate, rng)
    answer = gate.post(body)
    if answer.status >= 500:
        raise Wrong(f"HTTP {answer.status}")
    document = _decoded(body)
    if answer.status != 200:
        if answer.status not in (400, 413):
            raise Wrong(f"HTTP {answer.status}")
        return "400"
    if document is None or is_duplicate:
        raise Wrong("no JSON, or a member twice, and yet an answer")
    response = json.loads(answer.body)["response"]
    if response["uid"] != document["request"]["uid"]:
        raise Wrong("the answer to another review")
    if "INTERNAL" in response["auditAnnotations"].get("codes", ""):
        raise Wrong("an internal error")
    if not response["allowed"]:
        if response["status"]["code"] not in (403, 503) or not response["status"]["message"]:
            raise Wrong("a refusal without a reason")
        return "refused"
    if reason := _why_not(document["request"], gate.attested):
        raise Wrong(f"allowed, although {reason}")
    return "allowed"


def _body(gate: Gate, rng: Random) -> tuple[bytes, bool]:
    """A review and whether a member stands in it twice."""
    good, bad = gate.attested, f"{HOST}/shop/web@{Digest.of(rng.randbytes(16))}"
    # A trusted host in the path of another, one that only begins like it, and no digest.
    evil = f"{HOST}.evil.example"
    bad = rng.choice((bad,) * 5 + (f"evil.example/{good}", good.replace(HOST, evil), _TAGGED))
    document = mutated(rng, _valid(rng, good, bad), (good, bad))
    text = text_of(rng, document)
    chance = rng.random()
    if chance < 0.05:
        double = with_duplicate(rng, text)
        return double, double != text
    return (damaged(rng, text) if chance < 0.15 else text), False


def _valid(rng: Random, good: str, bad: str) -> Json:
    """A review of some kind of workload in which at least one image is not attested, mostly."""
    kind = rng.choice(list(WORKLOADS))
    first, *others = rng.sample([good, bad, *rng.choices([good, bad], k=3)], k=5)
    if rng.random() < 0.3:
        first, others = good, [good] * 4
        others[rng.randrange(6) % 4] = rng.choice((good, bad))
    spec = pod_spec(
        first,
        initContainers=containers(others[0]),
        ephemeralContainers=containers(others[1]),
        volumes=[{"name": "tmp", "emptyDir": {}}, _volume(others[2])],
    )
    new = workload(spec, kind)
    namespace = rng.choice(("shop", "shop", "shop", "canary", "elsewhere"))
    if rng.random() < 0.3:
        before = workload({**spec, "containers": containers(others[3])}, kind)
        return update(before, new, namespace=namespace, uid=_UID)
    operation = rng.choice(("CREATE",) * 8 + ("DELETE", "CONNECT"))
    old = new if rng.random() < 0.1 else None  # of whatever operation: only UPDATE may look at it
    return review(new, old=old, operation=operation, namespace=namespace, uid=_UID)


def _volume(image: str) -> Json:
    return {"name": "model", "image": {"reference": image, "pullPolicy": "Always"}}


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _why_not(request: Json, attested: str) -> str:
    """Why this request may not be allowed, "" where it may."""
    if request["operation"] in ("DELETE", "CONNECT"):
        return ""
    kind = request["kind"]
    steps = _STEPS.get((kind.get("group", ""), kind["kind"]))
    new, old = request.get("object"), request.get("oldObject")
    if steps is None:
        return "its object is a workload" if _is_workload(new) else ""
    if request.get("namespace") in _NOT_ENFORCED:
        return ""
    images = _images(new, steps)
    if not any(place == "containers" for place, _, _ in images):
        return "there is nothing to judge"
    if request["operation"] == "UPDATE" and _same(images, _images(old, steps)):
        return ""
    if request.get("namespace") != "shop":
        return f"nothing may enter {request.get('namespace')!r}"
    prefix, _, digest = attested.partition("shop/")
    for _, _, image in images:
        allowed = isinstance(image, str) and image.startswith(f"{prefix}shop/")
        if not allowed or image.partition("@")[2] != digest.partition("@")[2]:
            return f"nobody attested {str(image)[:200]!r}"
    return ""


def _is_workload(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    version, kind = document.get("apiVersion"), document.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str):
        return False
    return (version.partition("/")[0] if "/" in version else "", kind) in _STEPS


def _images(document: Any, steps: tuple[str, ...]) -> list[tuple[str, Any, Any]]:
    """(list, name, image) of every image below the pod spec."""
    node = document
    for step in steps:
        node = node.get(step) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        return []
    found: list[tuple[str, Any, Any]] = []
    for place in (*_LISTS, "volumes"):
        value = node.get(place)
        for each in value if isinstance(value, list) else [] if value is None else [value]:
            if not isinstance(each, dict):
                found.append((place, None, None))  # misshapen: no image that anybody attested
            elif place != "volumes":
                found.append((place, each.get("name"), each.get("image")))
            elif (volume := each.get("image")) is not None:
                reference = volume.get("reference") if isinstance(volume, dict) else None
                found.append((place, each.get("name"), reference))
    return found


def _same(new: list[tuple[str, Any, Any]], old: list[tuple[str, Any, Any]]) -> bool:
    """Whether the same slots hold the same images, and each slot has a name of its own."""
    names = {(place, name) for place, name, _ in new}
    return sorted(map(repr, new)) == sorted(map(repr, old)) and len(names) == len(new)
