"""
What an API server makes of absent, empty and zero members, found by asking it.

Two passes over every type of a kind. *Hollow*: an object in which one struct is present and empty
tells the defaults of its members, and one zero value in it whether the server keeps that. *Full*:
an object in which every struct is present, changed in one place, tells which defaults elsewhere
hang on that place: these are conditional.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.cluster.openapi import Field, Types
from tests.cluster.places import ABSENT, Place, additions, at, put, without
from tests.cluster.recording import Object, Recorder
from tests.cluster.trials import IMAGE, IMAGES, SAMPLES, ZEROS, base_of, cause, hollow, values

# Some kinds take labels of their template for their own.
_EVERYWHERE = {"meta.v1.ObjectMeta"}
# A Pod's own resources follow other rules than a container's.
_AT_EACH_PLACE = {"core.v1.ResourceRequirements"}
_ENVELOPE = ("apiVersion", "kind", "metadata", "status")
# Validation refuses `rollingUpdate` beside these, or nobody reads it: its defaults need no rule.
_UNREAD = {
    'apps.v1.DaemonSetUpdateStrategy.type="OnDelete"',
    'apps.v1.DeploymentStrategy.type="Recreate"',
    'apps.v1.StatefulSetUpdateStrategy.type="OnDelete"',
    'apps.v1.StatefulSetUpdateStrategy.type="Recreate"',
}


@dataclass(frozen=True, slots=True, order=True)
class Kind:
    """One kind in one version; `plural` is its resource."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api(self) -> str:
        """Such as `apis/apps/v1`."""
        return f"apis/{self.group}/{self.version}" if self.group else f"api/{self.version}"

    @property
    def path(self) -> str:
        """Where its objects are POSTed, with `{namespace}`."""
        return f"/{self.api}/namespaces/{{namespace}}/{self.plural}"

    @property
    def envelope(self) -> Object:
        """`apiVersion` and `kind`."""
        version = f"{self.group}/{self.version}" if self.group else self.version
        return {"apiVersion": version, "kind": self.kind}


@dataclass(slots=True)
class Facts:
    """
    What was seen of one field.

    `default` is its value where its parent is there and it is not; `vanishes`, whether the server
    cannot tell a zero value from absence; `swayed`, values it has instead, each with its causes;
    `older`, defaults of older servers.
    """

    default: Any = ABSENT
    vanishes: bool = False
    swayed: dict[bytes, set[str]] = field(default_factory=dict)
    older: list[Any] = field(default_factory=list)

    def sway(self, value: Any, why: str) -> None:
        """Note that the value is another for that cause."""
        self.swayed.setdefault(_key(value), set()).add(why)

    def is_swayed(self, value: Any, why: str) -> bool:
        """Whether that is noted."""
        return why in self.swayed.get(_key(value), ())


class Survey:
    """
    The facts of all types met so far, per type and field.

    A type is looked at where it is met first. `here` has what differs elsewhere, per kind and place.
    """

    def __init__(self, types: Types, recorder: Recorder) -> None:
        self.types, self._recorder = types, recorder
        self.facts: dict[str, dict[Place, Facts]] = {}
        self.here: dict[Kind, dict[Place, Facts]] = {}
        self._first: dict[str, tuple[Kind, Place]] = {}
        self._swayed: set[str] = set()

    def add(self, kind: Kind, *, again: bool = False) -> None:
        """Survey a kind. Types met before are changed again only where told."""
        root = self.types.kind(kind.group, kind.version, kind.kind)
        self.here[kind] = {}
        self._hollow(kind, root, ())
        full = {"metadata": {}, **self._full(root, is_root=True)}
        (got,) = self._record(kind, [full])
        plain = dict(additions(full, got))
        self._compare_places(kind, root)
        self._note_siblings(kind, root, plain)
        self._sway(kind, root, full, plain, again=again)

    def fields(self, name: str, place: Place) -> tuple[Field, ...]:
        """The fields of a type, at the root without those that all objects share."""
        fields = self.types.fields(name)
        return fields if place else tuple(f for f in fields if f.place[0] not in _ENVELOPE)

    def add_version(self, version: str, recorder: Recorder) -> None:
        """Add the defaults that a server of another version sets in the types met so far."""
        for name, (kind, place) in self._first.items():
            (got,) = _recorded(recorder, kind, [hollow(name, place)])
            for f in self.fields(name, place):
                value, facts = at(got, (*place, *f.place)), self.facts[name][f.place]
                if len(f.place) > 1 or value in (ABSENT, facts.default, *facts.older):
                    continue
                if facts.swayed:
                    facts.sway(value, f"Kubernetes {version}")
                elif f.place != (IMAGES.get(name),):
                    facts.older.append(value)

    def _record(self, kind: Kind, documents: Iterable[Object]) -> list[Object]:
        return _recorded(self._recorder, kind, documents)

    def _hollow(self, kind: Kind, name: str, place: Place) -> None:
        if name in self.facts:
            return
        self._first[name] = (kind, place)
        fields = self.fields(name, place)
        found = self.facts[name] = {f.place: Facts() for f in fields}
        bases = {f.place: base_of(name, place, f) for f in fields}
        zeros = {
            f.place: put(bases[f.place], (*place, *f.place), ZEROS[f.shape])
            for f in fields
            if f.shape in ZEROS and f.place[-1] != 0
        }
        got_bases = self._record(kind, bases.values())
        got_zeros = dict(zip(zeros, self._record(kind, zeros.values()), strict=True))
        for (where, facts), got in zip(found.items(), got_bases, strict=True):
            facts.default = at(got, (*place, *where)) if len(where) == 1 else ABSENT
            facts.vanishes = got == got_zeros.get(where)
        for f in fields:
            if f.type:
                self._hollow(kind, f.type, (*place, *f.place))

    def _full(self, name: str, *, is_root: bool = False) -> Object:
        """Every struct present, lists and maps of them with one; of the scalars, required ones."""
        full: Object = {}
        for f in self.fields(name, () if is_root else (name,)):
            if f.shape == "struct":
                full = put(full, f.place, self._full(f.type))
            elif f.place == (IMAGES.get(name),):
                full = put(full, f.place, IMAGE)
            elif f.required and len(f.place) == 1 and f.shape in SAMPLES:
                full = put(full, f.place, f.choices[0] if f.choices else SAMPLES[f.shape][-1])
        return full

    def _places(self, name: str, place: Place = ()) -> Iterator[tuple[str, Place]]:
        yield name, place
        for f in self.fields(name, place):
            if f.type:
                yield from self._places(f.type, (*place, *f.place))

    def _compare_places(self, kind: Kind, root: str) -> None:
        """Keep what the default of a field is at a place, where it is another than elsewhere."""
        places = [*self._places(root)]
        answers = self._record(kind, (hollow(name, place) for name, place in places))
        for (name, place), got in zip(places, answers, strict=True):
            for f in self.fields(name, place):
                where, facts = (*place, *f.place), self.facts[name][f.place]
                if len(f.place) == 1 and f.place != (IMAGES.get(name),):
                    value = at(got, where)
                    if value != facts.default:
                        self.here[kind][where] = Facts(value, facts.vanishes)

    def _note_siblings(self, kind: Kind, root: str, plain: Mapping[Place, Any]) -> None:
        """Defaults that the full object has and the hollow one has not, or the other way round."""
        for name, place in self._places(root):
            if name in self._swayed:
                continue
            for where, facts in self.facts[name].items():
                value = plain.get((*place, *where), facts.default)
                if value != facts.default and (*place, *where) not in self.here[kind]:
                    facts.sway(value, "other members present")

    def _sway(
        self, kind: Kind, root: str, full: Object, plain: Mapping[Place, Any], *, again: bool
    ) -> None:
        """Change the full object in one place after the other, and see what else changes."""
        known = frozenset(self._swayed)
        met = set() if again else set(known - _EVERYWHERE)
        changes: list[tuple[str, str, Place, Object]] = []
        for name, place in self._places(root):
            if name not in met or (again and name in _AT_EACH_PLACE):
                met.add(name)
                for f in self.fields(name, place):
                    where = (*place, *f.place)
                    for value in values(f, name, full, where):
                        changed = (
                            without(full, where) if value is ABSENT else put(full, where, value)
                        )
                        changes.append((name, cause(name, f, value), where, changed))
        self._swayed |= met
        answers = self._record(kind, (changed for *_, changed in changes))
        for (name, why, where, changed), got in zip(changes, answers, strict=True):
            now = dict(additions(changed, got))
            for each in {*now, *plain}:
                value = now.get(each, ABSENT)
                is_inside = each[: len(where)] == where or where[: len(each)] == each
                if not is_inside and value != plain.get(each, ABSENT) and why not in _UNREAD:
                    self._note(kind, each, value, why, again=name in known)

    def _note(self, kind: Kind, place: Place, value: Any, why: str, *, again: bool) -> None:
        name, where = self._owner(kind, place)
        facts = self.facts[name][where]
        if again and not facts.is_swayed(value, why):
            facts = self.here[kind].setdefault(place, Facts(facts.default, facts.vanishes))
        if not again or facts is not self.facts[name][where]:
            facts.sway(value, why)

    def field(self, kind: Kind, place: Place) -> Field:
        """The field that stands at a place of a kind."""
        name, where = self._owner(kind, place)
        return next(f for f in self.types.fields(name) if f.place == where)

    def _owner(self, kind: Kind, place: Place) -> tuple[str, Place]:
        """The type that a place of the kind belongs to, and where it is in that."""
        name, start = self.types.kind(kind.group, kind.version, kind.kind), 0
        while True:
            rest = place[start:]
            inner = next(
                (f for f in self.types.fields(name) if f.type and rest[: len(f.place)] == f.place),
                None,
            )
            if inner is None or inner.place == rest:
                return name, rest
            name, start = inner.type, start + len(inner.place)


def _key(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _recorded(recorder: Recorder, kind: Kind, documents: Iterable[Object]) -> list[Object]:
    named = ({**kind.envelope, **each} for each in documents)
    return [_bare(each) for each in recorder.record_all(kind.path, named)]


def _bare(document: Object) -> Object:
    """Without what the server keeps for itself, and without nulls, which mean absence."""
    kept = {
        k: _without_nulls(v) for k, v in document.items() if k not in _ENVELOPE and v is not None
    }
    metadata = {k: v for k, v in document["metadata"].items() if k in ("labels", "annotations")}
    return {**kept, "metadata": metadata}


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    return [_without_nulls(v) for v in value] if isinstance(value, list) else value
