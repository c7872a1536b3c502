"""Places, the patterns that match them, and the order of stages. Pure values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

from stagepass.digest import ImageRef, is_host
from stagepass.errors import InputError

_NAMESPACE = re.compile(r"[a-z0-9*](?:[a-z0-9*-]*[a-z0-9*])?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-fA-F:]+\](?::[0-9]{1,5})?", re.ASCII)
_SEGMENT = re.compile(r"[a-z0-9._*-]+", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something runs: a cluster, by the gate's own setting, and a namespace, by name."""

    cluster: str
    namespace: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}"


@dataclass(frozen=True, slots=True)
class NamespacePattern:
    """A namespace name in which `*` stands for any run of characters."""

    text: str
    _regex: re.Pattern[str] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> NamespacePattern:
        """Raises `InputError` for anything but name characters and `*`."""
        if len(text) > 63 or not _NAMESPACE.fullmatch(text):
            raise InputError(
                f"{text!r} is not a namespace name", hint="lower case, digits, '-', and '*'"
            )
        parts = re.split(r"\*+", text)
        return cls(text, re.compile(".*".join(map(re.escape, parts))))

    def matches(self, namespace: str) -> bool:
        """Whole-name match."""
        return self._regex.fullmatch(namespace) is not None

    @property
    def is_literal(self) -> bool:
        """Whether exactly one name matches."""
        return "*" not in self.text

    def overlaps(self, other: NamespacePattern) -> bool:
        """Whether some name matches both."""
        return _overlap(self.text, other.text)


@dataclass(frozen=True, slots=True)
class ImagePattern:
    """`HOST/PATH`: the host literal, `*` within one path segment, a last `**` for everything below."""

    text: str
    host: str
    _regex: re.Pattern[str] = field(compare=False, repr=False)

    @classmethod
    def parse(cls, text: str) -> ImagePattern:
        """Raises `InputError`, saying which part is wrong."""
        host, slash, path = text.partition("/")
        if not slash or not _HOST.fullmatch(host) or not is_host(host):
            raise InputError(
                f"{text!r} does not start with a registry host",
                hint="like registry.example.com/shop/**",
            )
        segments = path.split("/")
        last_any = segments[-1] == "**"
        # Docker Hub has one name here, and its images without an owner lie below `library`.
        if host == "index.docker.io" or (
            host == "docker.io" and len(segments) == 1 and not last_any
        ):
            raise InputError(
                f"{text!r} matches no image",
                hint="like docker.io/library/nginx or docker.io/shop/**",
            )
        for segment in segments[:-1] if last_any else segments:
            if not _SEGMENT.fullmatch(segment) or "**" in segment:
                raise InputError(
                    f"{text!r}: {segment!r} is not a path segment",
                    hint="'**' stands alone, at the end",
                )
        return cls(text, host, re.compile(_path_regex(segments, last_any)))

    def matches(self, image: ImageRef) -> bool:
        """Host and path apart: a trusted host inside a path never counts (Portieris d3058143)."""
        return image.host == self.host and self._regex.fullmatch(image.repository) is not None


def ancestors(stage: str, after: Mapping[str, Sequence[str]]) -> list[str]:
    """Every stage before `stage`, nearest first, each once. `after` must have no cycle."""
    found: list[str] = []
    queue = list(after[stage])
    while queue:
        name = queue.pop(0)
        if name not in found:
            found.append(name)
            queue.extend(after[name])
    return found


def find_cycle(after: Mapping[str, Sequence[str]]) -> list[str]:
    """The stages of one cycle, in order, or [] where there is none."""
    state: dict[str, int] = {}

    def visit(name: str, trail: list[str]) -> list[str]:
        if state.get(name) == 2:
            return []
        if state.get(name) == 1:
            return trail[trail.index(name) :]
        state[name] = 1
        for parent in after.get(name, ()):
            if cycle := visit(parent, [*trail, name]):
                return cycle
        state[name] = 2
        return []

    return next((cycle for name in after if (cycle := visit(name, []))), [])


def _path_regex(segments: list[str], last_any: bool) -> str:
    fixed = [
        re.escape(s).replace(r"\*", "[^/]*") for s in (segments[:-1] if last_any else segments)
    ]
    return "/".join([*fixed, ".+"] if last_any else fixed)


def _overlap(left: str, right: str) -> bool:
    """Two glob texts meet if each can be walked to its end, `*` taking any character or none."""
    reached = {(0, 0)}
    for i, j in product(range(len(left) + 1), range(len(right) + 1)):
        if (i, j) not in reached:
            continue
        a, b = left[i : i + 1], right[j : j + 1]
        if a == "*":
            reached |= {(i + 1, j)} | ({(i, j + 1)} if b else set())
        if b == "*":
            reached |= {(i, j + 1)} | ({(i + 1, j)} if a else set())
        if a and b and a == b:
            reached.add((i + 1, j + 1))
    return (len(left), len(right)) in reached
