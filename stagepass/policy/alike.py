"""Which identities have to be compared at all: of a thousand in a set, few begin alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from stagepass.identity import Glob, Identity

_OPEN = Glob("**")
_SEGMENTS = 10  # of a URL, from its scheme on: a workflow at a ref of two names has ten


def alike(identities: Sequence[Identity]) -> Iterator[tuple[int, int]]:
    """
    Pairs of places in `identities`, lower first: every pair that overlaps is among them.

    Of one issuer, and beginning alike in the subject, forwards or backwards, in a segment of it, or in a
    claim: in whichever tells most of them apart.
    """
    by_issuer = defaultdict(list)
    for place, identity in enumerate(identities):
        by_issuer[identity.issuer].append(place)
    for places in by_issuer.values():
        ways = _ways([identities[place] for place in places])
        best = min(ways, key=lambda globs: sum(len(others) for _, others in _beginning(globs)))
        for index, others in _beginning(best):
            for other in others:
                first, second = sorted((places[index], places[other]))
                yield first, second


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


def _beginning(globs: Sequence[Glob]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """
    Each with those before it, in the order of their heads, that begin as it does.

    What begins alike stands together in that order, so one stack holds all that may still be asked for.
    """
    order = sorted(range(len(globs)), key=lambda i: (globs[i].head, globs[i].is_exact))
    stack: list[int] = []
    for index in order:
        while stack and not _may_meet(globs[stack[-1]], globs[index]):
            stack.pop()
        yield index, tuple(stack)
        stack.append(index)


def _may_meet(earlier: Glob, later: Glob) -> bool:
    if earlier.is_exact:
        return earlier == later
    return later.head.startswith(earlier.head)
