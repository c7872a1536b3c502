"""
Whether a live object is what a release says, and whether an update changes anything that is signed. Pure.

The rules stand where they are applied: of values and lists in `walk`, of metadata in `metadata`, of
values that depend on others in `conditional` and `conditional_pods`, of what the stage opens in
`allowed`, of what controllers make from a template in `templates`. Whoever may write to a namespace
wrote the live object: it is a JSON value of any shape, and nothing in it is believed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson

from stagepass.digest import Digest
from stagepass.manifest import ObjectId
from stagepass.manifests import kinds, metadata
from stagepass.manifests.allowed import Allowed
from stagepass.manifests.difference import Difference, quoted
from stagepass.manifests.fields import Frame
from stagepass.manifests.walk import Enough, Walk, is_equal
from stagepass.objects import Object, is_built_in, members
from stagepass.policy.releases import Kind, ReleaseRule

_SECRET = ("", "Secret")
_REPLICA_SET, _JOB = ("apps", "ReplicaSet"), ("batch", "Job")
_APART = ("metadata", "status")
_NO_TIME = b'"creationTimestamp":null'


def differences(
    attested: Object, live: Object, rule: ReleaseRule, *, created: bool = True
) -> list[Difference]:
    """
    Where `live` is not what `attested` says, in document order, at most 100; [] where it is.

    `attested` is an object of a verified release, in the spelling of `stagepass.objects`; `live` as the
    API server shows it to a webhook, defaults filled in. With `created` it is not stored yet, so it
    chooses no node and no volume: whoever asks knows that, `resourceVersion` is its author's word.
    Raises `InputError` where `attested` is none.
    """
    return of_kind(attested, live, Allowed.of(rule, kind_of(attested)), created=created)


def of_kind(attested: Object, live: Object, allowed: Allowed, *, created: bool) -> list[Difference]:
    """`differences`, with what is opened already known."""
    kind = kind_of(attested)
    if type(live) is not dict:
        return [Difference("", quoted(live), quoted(dict(attested)))]
    secret = _SECRET in (kind, ("", live.get("kind")))
    walk = Walk(allowed, created=created, nulls=not is_built_in(kind[0]), secret=secret)
    want, have = _without_status(attested), _without_status(live)
    # A list or a text in its place is a difference of its own; a map that is missing is an empty one.
    if isinstance(have.get("metadata"), dict | None):
        have["metadata"] = metadata.compared(have.get("metadata"))
    want["metadata"] = metadata.compared(want.get("metadata"))
    if isinstance(have["metadata"], dict):
        metadata.with_finalizers(want["metadata"], have["metadata"])
        if kind == _JOB:  # its Pods are labelled with it
            want["metadata"]["uid"] = have["metadata"]["uid"] = _uid(live)
    with suppress(Enough):
        walk.maps(Frame(None, "", want, have, kinds.root(kind), allowed.pointers))
    return walk.found


def unchanged(old: Object, new: Object) -> bool:
    """
    Whether an update leaves all that is signed as it was, whatever that is.

    It may change `status`, the ignored metadata, what the closed list of annotations names, and
    the size of a ReplicaSet. Raises `InputError` where one is no object.
    """
    if not (isinstance(old.get("metadata"), dict) and isinstance(new.get("metadata"), dict)):
        return False
    return is_equal(_signed(old), _signed(new))


def signed_digest(source: Object, *, created: bool = True) -> Digest | None:
    """
    Of all that comparing looks at: two objects with one digest have the same `differences`, `created` alike.

    None for what has no canonical form. Raises `InputError` where it is no object.
    """
    about = source.get("metadata")
    if not isinstance(about, dict):
        return None
    uid = _uid(source) if kind_of(source) == _JOB else ""
    found = [_without_metadata(source), metadata.compared(about), uid, created]
    try:
        written = orjson.dumps(found, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    # NaN and infinity are written as null as well, and what is kept of null must not admit them. API
    # servers before 1.34 write one null into each template, and to look at every number costs the half.
    harmless = written.count(_NO_TIME) == written.count(b"null")
    return Digest.of(written) if harmless or orjson.loads(written) == found else None


def kind_of(source: Object) -> Kind:
    """(group, kind). Raises `InputError` where it has none."""
    found = ObjectId.of(source)
    return found.group, found.kind


def _without_status(source: Object) -> dict[str, Any]:
    return {name: each for name, each in source.items() if name != "status"}


def _uid(source: Object) -> Any:
    return members(source.get("metadata")).get("uid")


def _without_metadata(source: Object) -> dict[str, Any]:
    return {name: each for name, each in source.items() if name not in _APART}


def _signed(source: Object) -> list[Any]:
    """What an update must not change."""
    kind = kind_of(source)
    rest = _without_metadata(source)
    spec = rest.get("spec")
    if kind == _REPLICA_SET and isinstance(spec, dict):
        rest["spec"] = {name: each for name, each in spec.items() if name != "replicas"}
    return [rest, metadata.unmarked(source, kind)]
