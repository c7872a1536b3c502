"""What a rendered object may say, and where it may go: DESIGN section 8.4, before any write. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from applier.failure import Failure, Reason
from applier.refused_kinds import refused_content, refused_kind
from applier.rules import CRD, Object, Rules, entries, identity, is_hollow, members
from stagepass.errors import InputError
from stagepass.manifest import ObjectId
from stagepass.objects import shape_problems, word_problems

Scopes = Mapping[tuple[str, str], bool]

# Members of metadata that are the API server's, or that decide about somebody else's objects (G34).
_METADATA = (
    *("deletionGracePeriodSeconds", "deletionTimestamp", "finalizers", "generateName"),
    *("generation", "managedFields", "ownerReferences", "resourceVersion", "selfLink", "uid"),
)
# Of those, what controllers hand on from a template to the Pods and claims that they make.
_HANDED_ON = ("finalizers", "ownerReferences")
_MAX_SHOWN = 10


def check(objects: Sequence[Object], rules: Rules, scopes: Scopes) -> None:
    """
    Raises `Failure`, naming every problem of the render at once.

    `scopes` says of each (group, kind) that the API server knows whether it is namespaced; kinds
    that the render itself defines are added. OBJECT_REFUSED for what may not be brought;
    KIND_UNKNOWN where nothing else is wrong and a kind's scope is not known.
    A `status` is refused unless it is hollow (`objects.prepare` drops it then).
    """
    known = {**_defined(objects), **scopes}
    problems: list[tuple[str, str]] = []
    unknown: list[str] = []
    for index, document in enumerate(objects):
        try:
            found = ObjectId.of(document)
        except InputError as error:
            problems.append((f"object {index}", str(error)))
            continue
        problems += [(identity(found), why) for why in _problems(found, document, rules, known)]
        if (found.group, found.kind) not in known:
            unknown.append(identity(found))
    problems += [(name, "is brought twice") for name in _twice(objects)]
    if problems:
        raise _failure(problems)
    if unknown:
        message = f"the API server does not serve the kind of {unknown[0]}"
        raise Failure(Reason.KIND_UNKNOWN, message, objects=unknown)


def _failure(problems: list[tuple[str, str]]) -> Failure:
    shown = "; ".join(f"{name} {why}" for name, why in problems[:_MAX_SHOWN])
    more = f"; and {len(problems) - _MAX_SHOWN} more" if len(problems) > _MAX_SHOWN else ""
    names = list(dict.fromkeys(name for name, _ in problems))
    return Failure(Reason.OBJECT_REFUSED, shown + more, objects=names)


def _twice(objects: Sequence[Object]) -> list[str]:
    """Identities that occur more than once; the API version does not tell two objects apart."""
    counts: Counter[ObjectId] = Counter()
    for document in objects:
        try:
            counts[ObjectId.of(document)] += 1
        except InputError:
            continue
    return [identity(found) for found, number in counts.items() if number > 1]


def _defined(objects: Sequence[Object]) -> dict[tuple[str, str], bool]:
    """The scopes of the kinds that CRDs among `objects` define."""
    found: dict[tuple[str, str], bool] = {}
    for document in objects:
        spec = members(document.get("spec"))
        kind = members(spec.get("names")).get("kind")
        scope = {"Namespaced": True, "Cluster": False}.get(str(spec.get("scope")))
        is_crd = document.get("kind") == CRD[1] and str(document.get("apiVersion")).startswith(
            f"{CRD[0]}/"
        )
        if is_crd and scope is not None and isinstance(kind, str):
            found[(str(spec.get("group")), kind)] = scope
    return found


def _problems(found: ObjectId, document: Object, rules: Rules, known: Scopes) -> Iterator[str]:
    yield from shape_problems(found, document)
    yield from _metadata(members(document.get("metadata")))
    if not is_hollow(document.get("status")):
        yield "has a status, which is the cluster's to say"
    if why := refused_kind(found):
        yield why
    yield from _place(found, rules, known)
    yield from refused_content(found, document)
    for path, metadata in _template_metadata(document):
        held = (f"sets metadata.{name}" for name in _HANDED_ON if name in metadata)
        yield from (f"{path}: {why}" for why in (*held, *word_problems(metadata)))


def _metadata(metadata: Object) -> Iterator[str]:
    for name in _METADATA:
        if name in metadata:
            yield f"sets metadata.{name}"
    if metadata.get("creationTimestamp") is not None:
        yield "sets metadata.creationTimestamp"
    yield from word_problems(metadata)


def _place(found: ObjectId, rules: Rules, known: Scopes) -> Iterator[str]:
    namespaced = known.get((found.group, found.kind))
    if namespaced is None:
        if found.namespace and not rules.allows_namespace(found.namespace):
            yield f"goes into the namespace {found.namespace!r}, which is not this stage's"
        return
    if namespaced:
        if not found.namespace:
            yield "has no metadata.namespace"
        elif not rules.allows_namespace(found.namespace):
            yield f"goes into the namespace {found.namespace!r}, which is not this stage's"
        return
    if found.namespace:
        yield "has a namespace, and its kind has none"
    if (found.group, found.kind) not in rules.cluster_kinds:
        yield "is of a cluster-scoped kind that this source may not bring"
    if (found.group, found.kind) == ("", "Namespace") and not rules.allows_namespace(found.name):
        yield "is a namespace that is not this stage's"


def _template_metadata(document: Object) -> Iterator[tuple[str, Object]]:
    """The metadata of pod and job templates: what they say ends up on Pods."""
    spec = members(document.get("spec"))
    job = members(spec.get("jobTemplate"))
    for path, template in (
        ("template", members(document.get("template"))),
        ("spec.template", members(spec.get("template"))),
        ("spec.jobTemplate", job),
        ("spec.jobTemplate.spec.template", members(members(job.get("spec")).get("template"))),
        *((f"spec.volumeClaimTemplates[{i}]", t) for i, t in enumerate(_claims(spec))),
    ):
        yield path, members(template.get("metadata"))


def _claims(spec: Object) -> list[Object]:
    return entries(spec.get("volumeClaimTemplates"))
