"""Bodies that are no AdmissionReview v1, each under a name that says why."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from tests.webhook.reviews import create
from tests.webhook.shop import HOST
from tests.world import DROP, changed

_IMAGE = f"{HOST}/shop/web@sha256:{'0' * 64}"
_REVIEW = create(_IMAGE, uid="u")
GOOD = json.dumps(_REVIEW).encode()

_MEMBERS: Mapping[str, tuple[str, Any]] = {
    "of version v1beta1": ("apiVersion", "admission.k8s.io/v1beta1"),
    "of version v2": ("apiVersion", "admission.k8s.io/v2"),
    "of another group": ("apiVersion", "authentication.k8s.io/v1"),
    "without apiVersion": ("apiVersion", DROP),
    "with a list for apiVersion": ("apiVersion", ["admission.k8s.io/v1"]),
    "with a megabyte for apiVersion": ("apiVersion", "\x1b" * (1 << 20)),
    "of another kind": ("kind", "TokenReview"),
    "without kind": ("kind", DROP),
    "without request": ("request", DROP),
    "with null for request": ("request", None),
    "with a list for request": ("request", []),
    "without uid": ("request.uid", DROP),
    "with an empty uid": ("request.uid", ""),
    "with a number for uid": ("request.uid", 7),
    "without request.kind": ("request.kind", DROP),
    "with text for request.kind": ("request.kind", "Pod"),
    "without request.kind.kind": ("request.kind.kind", DROP),
    "with null for request.kind.kind": ("request.kind.kind", None),
    "with null for group": ("request.kind.group", None),
    "without operation": ("request.operation", DROP),
    "with an unknown operation": ("request.operation", "PATCH"),
    "with a lower-case operation": ("request.operation", "create"),
    "with a number for namespace": ("request.namespace", 7),
    "with an object for name": ("request.name", {}),
    "with a list for object": ("request.object", []),
    "with text for object": ("request.object", "Pod"),
}

_deep_list = b"[" * 600 + b"]" * 600
_deep_object = b'{"a":' * 600 + b"1" + b"}" * 600


def _with(text: bytes) -> bytes:
    """The good review with one more member, `extra`, in its object."""
    return GOOD.replace(b'"object": {', b'"object": {"extra": ' + text + b", ", 1)


_TEXTS: Mapping[str, bytes] = {
    "empty": b"",
    "white space": b" \n",
    "no JSON": b"uid: u",
    "half of one": GOOD[: len(GOOD) // 2],
    "two of them": GOOD + GOOD,
    "null": b"null",
    "a list": b"[" + GOOD + b"]",
    "a string": json.dumps(GOOD.decode()).encode(),
    "a number": b"1",
    "an empty object": b"{}",
    "after a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "not UTF-8": GOOD.replace(b'"alice"', b'"\xff\xfe"'),
    "with a zero byte": GOOD.replace(b'"alice"', b'"\x00"'),
    "with a lone surrogate": GOOD.replace(b'"alice"', b'"\\ud800"'),
    "with NaN": _with(b"NaN"),
    "with an integer of 5,000 digits": _with(b"9" * 5000),
    "with a comment": GOOD + b"// that was it",
    "with a key twice": GOOD.replace(b'"uid": "u"', b'"uid": "u", "uid": "v"'),
    "with two objects": GOOD.replace(b'"object": {', b'"object": null, "object": {'),
    "with an image twice": GOOD.replace(b'"image": ', b'"image": "a", "image": ', 1),
    "with a key twice, once escaped": GOOD.replace(b'"image": ', b'"im\\u0061ge": "a", "image": '),
    "with lists in lists": _with(_deep_list),
    "with objects in objects": _with(_deep_object),
    "lists without an end": b"[" * 1_000_000,
    "objects without an end": b'{"a":' * 200_000,
    "with false for oldObject": GOOD.replace(b'"CREATE"', b'"UPDATE"').replace(
        b'"oldObject": null', b'"oldObject": false'
    ),
    "compressed": gzip.compress(GOOD),
    "a form": b"apiVersion=admission.k8s.io%2Fv1&kind=AdmissionReview",
    "YAML": b"apiVersion: admission.k8s.io/v1\nkind: AdmissionReview\n",
}

BAD: Mapping[str, bytes] = {
    **_TEXTS,
    **{
        name: json.dumps(changed(_REVIEW, {path: value})).encode()
        for name, (path, value) in _MEMBERS.items()
    },
}
