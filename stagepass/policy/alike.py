"""Which identities have to be compared at all: of a thousand in a set, few begin alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from stagepass.identity import Glob, Identity

_OPEN = Glob("**")
_SEGMENTS = 10  # of a URL, from its scheme on: a workflow at a ref of two names has ten


def alike(
    identities: Sequence[Identity], owners: Sequence[str]
) -> Iterator[tuple[int, Iterator[int]]]:
    """
    A place in `identities` with places of other owners: every pair of these that overlaps is told, once.

    Of one issuer, and beginning alike in the subject, forwards or backwards, in a segment of it, or in a
    claim: in whichever tells most of them apart. The places that go with one are read, or not, before
    the next is asked for.
    """
    by_issuer = defaultdict(list)
    for place, identity in enumerate(identities):
        by_issuer[identity.issuer].append(place)
    for places in by_issuer.values():
        whose = [owners[place] for place in places]
        ways = _ways([identities[place] for place in places])
        best = min(ways, key=lambda globs: sum(count for _, count, _ in _beginning(globs, whose)))
        for index, _, others in _beginning(best, whose):
            yield places[index], (places[other] for other in others)


def _ways(identities: Sequence[Identity]) -> Iterator[list[Glob]]:
    """One pattern of each, of which two must overlap where the identities do."""
    subjects = [identity.subject for identity in identities]
    yield subjects
    yield [Glob(subject.text[::-1]) for subject in subjects]
    segments = [_segments(subject) for subject in subjects]
    for number in range(_SEGMENTS):
        yield [Glob(each[number]) if number < len(each) else _OPEN for each in segments]
    for name in sorted({name for identity in identities for name in identity.claims}):
        yield [identity.claims.get(name, _OPEN) for identity in identities]


def _segments(subject: Glob) -> list[str]:
    """What each segment of a text that matches is like, up to the first that `**` may take more of."""
    before, crosses, _ = subject.text.partition("**")
    found = before.split("/")
    return found[:-1] if crosses else found


def _beginning(
    globs: Sequence[Glob], owners: Sequence[str]
) -> Iterator[tuple[int, int, Iterator[int]]]:
    """
    Each with those before it, in the order of their heads, that begin as it does and are of other owners.

    What begins alike stands together in that order, so one stack holds all that may still be asked for.
    """
    order = sorted(range(len(globs)), key=lambda i: (globs[i].head, globs[i].is_exact))
    stack = _Stack(owners)
    for index in order:
        while stack.top is not None and not _may_meet(globs[stack.top], globs[index]):
            stack.pop()
        yield index, stack.count_of_others(index), stack.others(index)
        stack.push(index)


class _Stack:
    """Places, in runs of one owner: those of one's own are passed over without a look at each."""

    def __init__(self, owners: Sequence[str]) -> None:
        self._owners = owners
        self._runs: list[list[int]] = []
        self._of = Counter[str]()
        self._size = 0

    @property
    def top(self) -> int | None:
        return self._runs[-1][-1] if self._runs else None

    def push(self, index: int) -> None:
        if self.top is None or self._owners[self.top] != self._owners[index]:
            self._runs.append([])
        self._runs[-1].append(index)
        self._of[self._owners[index]] += 1
        self._size += 1

    def pop(self) -> None:
        self._of[self._owners[self._runs[-1].pop()]] -= 1
        self._size -= 1
        if not self._runs[-1]:
            del self._runs[-1]

    def count_of_others(self, index: int) -> int:
        return self._size - self._of[self._owners[index]]

    def others(self, index: int) -> Iterator[int]:
        for run in self._runs:
            if self._owners[run[0]] != self._owners[index]:
                yield from run


def _may_meet(earlier: Glob, later: Glob) -> bool:
    if earlier.is_exact:
        return earlier == later
    return later.head.startswith(earlier.head)
