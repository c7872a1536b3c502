"""
Claims that controllers make: of a StatefulSet's `volumeClaimTemplates`, of `ephemeral` volumes. Pure.

`TEMPLATE-SET-ORDINAL` has the template's labels, over them those of the set's selector. `POD-VOLUME`
has the metadata of the volume's template; of which Pod it is, is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from stagepass.manifests.compare import kind_of
from stagepass.manifests.kinds import pod_templates
from stagepass.objects import Object, entries, members

_ORDINAL = r"(0|[1-9][0-9]{0,9})"


def expected(owner: Object, live: Object) -> Iterator[dict[str, Any]]:
    """
    Every claim that may be made of `owner` under the name of `live`.

    There may be several: the name of a Pod and that of its volume may both hold a `-`.
    """
    metadata = members(live.get("metadata"))
    name, namespace = metadata.get("name"), members(owner.get("metadata")).get("namespace")
    if not isinstance(name, str) or metadata.get("namespace") != namespace:
        return
    for found, spec in (*_of_set(owner, name), *_of_pods(owner, name)):
        kept = {key: found[key] for key in ("labels", "annotations") if found.get(key)}
        yield {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {**kept, "name": name, "namespace": namespace},
            "spec": spec,
        }


def _of_set(owner: Object, name: str) -> Iterator[tuple[Object, Any]]:
    if kind_of(owner) != ("apps", "StatefulSet"):
        return
    spec = members(owner.get("spec"))
    selected = members(members(spec.get("selector")).get("matchLabels"))
    for template in entries(spec.get("volumeClaimTemplates")):
        metadata = members(template.get("metadata"))
        head = f"{metadata.get('name')}-{members(owner.get('metadata')).get('name')}-"
        if name.startswith(head) and re.fullmatch(_ORDINAL, name[len(head) :], re.ASCII):
            labels = {**members(metadata.get("labels")), **selected}
            yield {**metadata, "labels": labels}, template.get("spec")


def _of_pods(owner: Object, name: str) -> Iterator[tuple[Object, Any]]:
    for path in pod_templates(kind_of(owner)):
        at: Any = owner
        for step in (*path, "spec"):
            at = members(at).get(step)
        for volume in entries(members(at).get("volumes")):
            template = members(members(volume.get("ephemeral")).get("volumeClaimTemplate"))
            if template and name.endswith(f"-{volume.get('name')}"):
                yield members(template.get("metadata")), template.get("spec")
