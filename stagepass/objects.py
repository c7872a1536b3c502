"""
Kubernetes objects as people render them, put into the one spelling that is applied, signed and compared.

Pure, and shared: the applier sends objects in this spelling, a release is made of them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from stagepass.errors import InputError
from stagepass.manifest import ObjectId

Object = Mapping[str, Any]

DOMAIN = "stagepass.dev"
APPLICATION_LABEL = f"{DOMAIN}/application"
"""On everything that an applier applies: whose it is, as `label_value` writes it."""

# Groups of Kubernetes projects that are served by CRDs, whatever their name looks like.
_AROUND = {"gateway.networking.k8s.io", "snapshot.storage.k8s.io", "policy.networking.k8s.io"}

_API_VERSION = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?v[a-z0-9]{1,62}", re.ASCII)
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
# A name becomes part of a URL: the API server takes no other characters out of one.
_NOT_IN_NAME = re.compile(r"[/%\x00-\x20\x7f?#\\]")
_MAX_NAME = 253
_MAX_LABEL = 63
_PLAIN_LABEL = re.compile(
    r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", re.ASCII
)


def label_value(pipeline: str, stage: str) -> str:
    """
    `PIPELINE.STAGE`, in at most 63 characters and never the same for two pairs.

    A pair that is too long, or in which the dot would not tell where one name ends, gets a hash.
    """
    text = f"{pipeline}.{stage}"
    if len(text) <= _MAX_LABEL and _PLAIN_LABEL.fullmatch(text):
        return text
    mark = hashlib.sha256(json.dumps([pipeline, stage]).encode()).hexdigest()[:16]
    head = re.sub(r"[^a-zA-Z0-9.-]", "-", text)[: _MAX_LABEL - len(mark) - 1].strip(".-")
    # "_" stands in no plain value, so a name cannot be chosen to look like another's hash.
    return f"{head}_{mark}" if head else mark


def is_built_in(group: str) -> bool:
    """Whether Kubernetes itself serves the group, so that its objects are decoded into Go types."""
    return "." not in group or (group.endswith(".k8s.io") and group not in _AROUND)


def is_our_own(group: str) -> bool:
    """Whether it is a group, or the prefix of a label, that the gate and the applier believe."""
    return group == DOMAIN or group.endswith(f".{DOMAIN}")


def members(value: object) -> Mapping[str, Any]:
    """`value` where it is a map, else an empty one: what is read here was written by strangers."""
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[Mapping[str, Any]]:
    """The maps in `value` where it is a list, else []."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def is_hollow(value: object) -> bool:
    """Whether it says nothing: generators of YAML leave such a `status` behind."""
    if isinstance(value, dict):
        return all(map(is_hollow, value.values()))
    return all(map(is_hollow, value)) if isinstance(value, list) else value in (None, "")


def flattened(document: object) -> Iterator[Object]:
    """
    The objects of one YAML document: itself, or the items of a `List` of `v1`.

    Raises `InputError` for a list of another kind, a list in a list, and what is no object.
    """
    if not _is_list(document):
        yield _mapping(document)
        return
    items = _mapping(document)["items"]
    if not isinstance(items, list):
        raise InputError("the items of a List are not a list")
    for item in items:
        if _is_list(item):
            raise InputError("a List inside a List")
        yield _mapping(item)


def shape_problems(found: ObjectId, document: Object) -> Iterator[str]:
    """What keeps an object from having one address: kind, name and namespace must be such."""
    if not _API_VERSION.fullmatch(document["apiVersion"]) or not _KIND.fullmatch(found.kind):
        yield f"apiVersion {document['apiVersion']!r} and kind {found.kind!r} name no kind"
    if found.kind.endswith("List") and isinstance(document.get("items"), list):
        yield "is a list inside a list"
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        yield "has no metadata"
        return
    name, namespace = metadata.get("name"), metadata.get("namespace")
    if not isinstance(name, str) or not name:
        yield "has no metadata.name"
    elif name in (".", "..") or _NOT_IN_NAME.search(name) or len(name) > _MAX_NAME:
        yield f"metadata.name {name!r} is no name"
    if namespace is not None and (
        not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace)
    ):
        yield f"metadata.namespace {namespace!r} is no namespace"


def word_problems(metadata: Object) -> Iterator[str]:
    """Labels and annotations: texts, and none of ours, which the gate and the applier believe."""
    for name in ("labels", "annotations"):
        values = metadata.get(name)
        if values is None:
            continue
        if not isinstance(values, dict):
            yield f"metadata.{name} is no map"
            continue
        for key, value in values.items():
            if is_our_own(str(key).partition("/")[0]):
                yield f"sets the {name.removesuffix('s')} {key!r}"
            if value is not None and not isinstance(value, str):
                yield f"metadata.{name} {key!r} is not text"


def spelled(source: Object, labels: Mapping[str, str] | None = None) -> dict[str, Any]:
    """
    An object the way an API server keeps it, with these `labels` besides its own.

    Dropped, as a server stores none of it: empty `status`, `creationTimestamp: null`, empty labels and
    annotations, and in built-in kinds every null. `stringData` of a Secret is folded into `data`:
    server-side apply tracks the two apart, and never removes a key that was sent as `stringData`.
    """
    found = ObjectId.of(source)
    document = dict(without_nulls(source) if is_built_in(found.group) else source)
    metadata = dict(members(document.get("metadata")))
    for name in ("creationTimestamp", "annotations", "labels"):
        if not metadata.get(name):
            metadata.pop(name, None)
    if labels:
        metadata["labels"] = {**members(metadata.get("labels")), **labels}
    document["metadata"] = metadata
    if "status" in document and is_hollow(document["status"]):
        del document["status"]
    return folded_secret(document) if (found.group, found.kind) == ("", "Secret") else document


def without_nulls(value: Any) -> Any:
    """`value` without the members that are null; a built-in kind has no meaning for them."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def folded_secret(secret: Object) -> dict[str, Any]:
    """With `stringData` in `data` and no line ends in base64, as an API server stores it."""
    document, data = dict(secret), secret.get("data")
    if isinstance(data, dict):
        data = {k: re.sub("[\r\n]", "", v) if isinstance(v, str) else v for k, v in data.items()}
        document["data"] = data
    plain = secret.get("stringData")
    if isinstance(plain, dict) and all(isinstance(each, str) for each in plain.values()):
        coded = {key: base64.b64encode(each.encode()).decode() for key, each in plain.items()}
        if coded:
            document["data"] = {**members(data), **coded}
        del document["stringData"]
    return document


def _is_list(document: object) -> bool:
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(kind, str):
        return False
    if not kind.endswith("List") or "items" not in document:
        return False
    if (document.get("apiVersion"), kind) != ("v1", "List"):
        raise InputError(f"{kind}: write its items out, or use kind: List of apiVersion: v1")
    return True


def _mapping(document: object) -> Object:
    if not isinstance(document, dict):
        raise InputError("a document is not a mapping")
    return document
