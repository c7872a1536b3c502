"""Identities: what a verified Sigstore certificate says of its holder, and the patterns that name one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from stagepass.errors import InputError

MAX_PATTERN = 1024
"""Characters."""
CLAIMS: Mapping[str, str] = {
    "builder": "1.3.6.1.4.1.57264.1.9",
    "runner": "1.3.6.1.4.1.57264.1.11",
    "repository": "1.3.6.1.4.1.57264.1.12",
    "commit": "1.3.6.1.4.1.57264.1.13",
    "ref": "1.3.6.1.4.1.57264.1.14",
    "repositoryId": "1.3.6.1.4.1.57264.1.15",
    "owner": "1.3.6.1.4.1.57264.1.16",
    "ownerId": "1.3.6.1.4.1.57264.1.17",
    "workflow": "1.3.6.1.4.1.57264.1.18",
    "trigger": "1.3.6.1.4.1.57264.1.20",
    "environment": "1.3.6.1.4.1.57264.1.23",
}
"""What a policy may ask of a certificate beside issuer and subject, and the extension of Fulcio it is."""

_PLAIN = re.compile(r"[^\s'\"\\]+")
_STARS = re.compile(r"\*+")
_PARTS = re.compile(r"\*\*|.", re.DOTALL)
_ANY, _ANY_BEFORE_AT = "**", "**@"
_STOPS = {"*": "/@", _ANY: "", _ANY_BEFORE_AT: "@"}
"""The stars, and what each does not take. Any two of them have a character in common."""


class Kind(StrEnum):
    """Of a certificate's subject alternative name; the value is for people."""

    URI = "URL"
    EMAIL = "e-mail address"
    USER = "user name"
    """Fulcio's other name, as `carol!example.com`."""


_MARKS = {"://": Kind.URI, "@": Kind.EMAIL, "!": Kind.USER}  # the first of them decides


@dataclass(frozen=True, slots=True)
class Certified:
    """
    What a certificate said that verified under each of the trust roots `roots`.

    `issuer` is the OIDC issuer's URL, `subject` the one subject alternative name and `kind` what it is
    of, `claims` the Fulcio extensions that policies may ask for, by our names.
    """

    issuer: str
    subject: str
    claims: Mapping[str, str] = field(hash=False)
    roots: frozenset[str]
    kind: Kind

    @property
    def id(self) -> str:
        """The `key_id` of what it signed."""
        return f"{self.issuer} {self.subject}"


@dataclass(frozen=True, slots=True)
class Span:
    """When something was signed, as an authority that the policy trusts proves it: both ends inclusive."""

    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle that verified: who signed it and when, and the very bytes that the signature is over."""

    certified: Certified
    signed: Span
    payload_type: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Glob:
    """
    Text, matched as a whole and case-sensitively.

    `*` stands for one or more characters that are neither "/" nor "@", `**` for one or more of any, but
    before an "@" of the pattern never for an "@": a branch called `x@refs/heads/main` is not main.
    """

    text: str

    @classmethod
    def parse(cls, text: str) -> Glob:
        """Raises `InputError` for three stars in a row and over 1,024 characters."""
        if any(len(stars) > 2 for stars in _STARS.findall(text)):
            raise InputError(f"{text!r} has three stars in a row", hint="write * or **")
        if len(text) > MAX_PATTERN:
            raise InputError(f"a pattern of {len(text)} characters", hint=f"at most {MAX_PATTERN}")
        return cls(text)

    @property
    def is_exact(self) -> bool:
        """Whether it stands for itself alone."""
        return "*" not in self.text

    @property
    def head(self) -> str:
        """What every text that matches begins with: all before the first star."""
        return self.text.partition("*")[0]

    def example(self) -> str:
        """Some text that matches."""
        return _STARS.sub("x", self.text)

    def matches(self, text: str) -> bool:
        """Whether all of `text` is as the pattern says. Linear in its length: a regex would backtrack."""
        head = self.head
        if self.is_exact or not text.startswith(head):
            return text == self.text
        parts = _Parts.of(self.text[len(head) :])
        reached = 1
        for character in text[len(head) :]:
            reached = parts.after(reached & parts.taking(character))
            if not reached:
                return False
        return parts.ends(reached)

    def overlaps(self, other: Glob) -> bool:
        """Whether some text matches both. Linear in the length of this one, by steps of the other's."""
        if other.is_exact:
            return self.matches(other.text)
        if self.is_exact:
            return other.matches(self.text)
        if not (self.head.startswith(other.head) or other.head.startswith(self.head)):
            return False
        its = _Parts.of(other.text)
        reached = 1
        for part in _split(self.text):
            meeting = its.meeting(part)
            if part in _STOPS:
                # This star stays while the other goes on: a sum carries through each run of positions.
                reached |= ((reached & meeting) + meeting) ^ meeting
            reached = its.after(reached & meeting)
            if not reached:
                return False
        return its.ends(reached)

    def covers(self, other: Glob) -> bool:
        """Whether this matches all that `other` does: for sure where True."""
        # Its stars as text that only a star can take: a character and a run that no pattern writes.
        odd = next(c for c in map(chr, range(0xE000, 0xF8FF)) if c not in self.text)
        open_ = {"*": odd, _ANY: f"{odd}{'/' * (MAX_PATTERN + 1)}{odd}"}
        return self.matches(_STARS.sub(lambda star: open_[star[0]], other.text))


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Whoever a certificate of `issuer` (exact) names so.

    Of `claims` every one must be there and match. `roots` are the trust roots it may verify under, None
    for any of the set.
    """

    issuer: str
    subject: Glob
    claims: Mapping[str, Glob] = field(default_factory=dict, hash=False)
    roots: frozenset[str] | None = None

    @property
    def id(self) -> str:
        """Readable, and no other identity's."""
        claims = (f"{name}={_plain(glob.text)}" for name, glob in sorted(self.claims.items()))
        roots = () if self.roots is None else ("under", *map(_plain, sorted(self.roots)))
        return " ".join((self.issuer, _plain(self.subject.text), *claims, *roots))

    @property
    def kind(self) -> Kind | None:
        """
        The kind of name that the subject is, by the marks that each has; None where it has none of them.

        Else `**!example.com` would take what somebody else may choose: the first half of an address.
        """
        return next((kind for mark, kind in _MARKS.items() if mark in self.subject.text), None)

    def example(self) -> Certified:
        """A certificate of it, as far as the pattern says; of no root where any would do."""
        claims = {name: glob.example() for name, glob in self.claims.items()}
        roots, kind = self.roots or frozenset(), self.kind or Kind.URI
        return Certified(self.issuer, self.subject.example(), claims, roots, kind)

    def matches(self, certified: Certified) -> bool:
        """Whether it names the holder of that certificate."""
        return not any(self.differences(certified))

    def differences(self, certified: Certified) -> Iterator[str]:
        """In what the certificate is not as wanted, in words; nothing where it is."""
        if certified.issuer != self.issuer:
            yield f"issuer {self.issuer!r}"
        if not self.subject.matches(certified.subject):
            yield f"subject {self.subject.text!r}"
        elif self.kind not in (None, certified.kind):
            yield f"{self.subject.text!r} as {self.kind} and not as {certified.kind}"
        for name, glob in sorted(self.claims.items()):
            got = certified.claims.get(name)
            if got is None:
                yield f"{name} {glob.text!r} and it has none"
            elif not glob.matches(got):
                yield f"{name} {glob.text!r} and not {got!r}"
        if self.roots is not None and not self.roots & certified.roots:
            under = ", ".join(sorted(certified.roots))
            yield f"trust root {' or '.join(sorted(self.roots))} and not {under}"

    def overlaps(self, other: Identity) -> bool:
        """Whether one certificate could be of both."""
        if self.issuer != other.issuer or not self.subject.overlaps(other.subject):
            return False
        if self.kind is not None and other.kind is not None and self.kind is not other.kind:
            return False
        if self.roots is not None and other.roots is not None and not self.roots & other.roots:
            # The same root under two names is refused when a set is loaded.
            return False
        shared = self.claims.keys() & other.claims.keys()
        return all(self.claims[name].overlaps(other.claims[name]) for name in shared)


def _plain(text: str) -> str:
    """As it is, and quoted where spaces or quotes would make two readings of it."""
    return text if _PLAIN.fullmatch(text) else repr(text)


@dataclass(frozen=True, slots=True)
class _Parts:
    """
    A pattern's characters and stars, and where each stands: sets of positions, as the bits of a number.

    Position n is before part n, and `count` the end.
    """

    count: int
    places: Mapping[str, int]
    stars: int

    @classmethod
    def of(cls, pattern: str) -> _Parts:
        parts, places = _split(pattern), dict[str, int]()
        for position, part in enumerate(parts):
            places[part] = places.get(part, 0) | 1 << position
        stars = sum(places.get(star, 0) for star in _STOPS)
        return cls(len(parts), places, stars)

    def taking(self, character: str) -> int:
        """The positions whose part takes it."""
        stars = (self.places.get(s, 0) for s, stops in _STOPS.items() if character not in stops)
        return self.places.get(character, 0) | sum(stars)

    def meeting(self, part: str) -> int:
        """The positions whose part takes some character that `part` takes."""
        if part not in _STOPS:
            return self.taking(part)
        return (1 << self.count) - 1 - sum(self.places.get(stop, 0) for stop in _STOPS[part])

    def after(self, stepping: int) -> int:
        """Where one more character leads: a star may take another one as well."""
        return stepping << 1 | stepping & self.stars

    def ends(self, reached: int) -> bool:
        return bool(reached >> self.count & 1)


def _split(pattern: str) -> list[str]:
    """Its single characters, and its stars."""
    before, at, rest = pattern.rpartition("@")
    narrowed = (_ANY_BEFORE_AT if part == _ANY else part for part in _PARTS.findall(before))
    return [*narrowed, *at, *_PARTS.findall(rest)]
