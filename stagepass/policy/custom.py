"""Custom resources that run images, as the policy names them: what the reader of objects needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from stagepass.manifest import BUILT_IN, ImagePaths
from stagepass.policy.schema import Problems


def custom_resources(
    documents: Iterable[dict[str, Any]], problems: Problems
) -> dict[tuple[str, str], ImagePaths]:
    """(group, kind) → where its images stand; a kind is named once, and none that is built in."""
    found: dict[tuple[str, str], ImagePaths] = {}
    for raw in (raw for document in documents for raw in document["resources"]):
        key, at = (raw["group"], raw["kind"]), raw["@"]
        if key in BUILT_IN:
            problems.add(at, f"the images of {raw['kind']!r} are known already", "leave it out")
        if key in found:
            problems.add(at, f"{raw['kind']!r} of {raw['group']!r} stands twice", "write one entry")
        if not raw["podTemplates"] and not raw["images"]:
            problems.add(at, "nothing says where its images are", "add podTemplates or images")
        found[key] = ImagePaths(raw["podTemplates"], raw["images"])
    return found
