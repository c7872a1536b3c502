"""Identities and the trust roots they verify under: from what the files say to what verifies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stagepass.attestor import Certificates, TrustedTimes
from stagepass.digest import Digest
from stagepass.errors import InputError, did_you_mean
from stagepass.identity import Identity
from stagepass.policy.alike import alike
from stagepass.policy.attestors import Key
from stagepass.policy.schema import At, Problems
from stagepass.trustroot import TrustedRoot

Document = Mapping[str, Any]
_NO_ROOTS = "write trustRoots: [{name: NAME, file: FILE, sha256: DIGEST}] beside attestors"
_MAX_COMPARED = 4_000_000  # characters of patterns, 3 CPU-seconds at worst
_NOT_INSTALLED = "pip install 'stagepass[keyless]'"


@dataclass(slots=True)
class TrustRoots:
    """The trust roots of a set, by name: the text of each, where it is named, and whose keys it holds."""

    texts: dict[str, bytes] = field(default_factory=dict)
    positions: dict[str, At] = field(default_factory=dict)
    authorities: dict[str, frozenset[bytes]] = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        documents: Iterable[Document],
        file: Callable[[At, str], bytes | None],
        problems: Problems,
    ) -> TrustRoots:
        """Of every document of the set; `file` gives the content of one that is named."""
        roots = cls()
        for raw in (raw for document in documents for raw in document["trustRoots"]):
            roots._add(raw, file, problems)
        return roots

    def digests(self) -> dict[str, str]:
        """Hex sha256 of each."""
        return {name: Digest.of(text).hex for name, text in self.texts.items()}

    def akin(self, names: frozenset[str]) -> frozenset[str]:
        """Those, and every other that shares a certificate authority's key: one leaf verifies under both."""
        held = frozenset[bytes]().union(*(self.authorities.get(n, ()) for n in names))
        return names | {name for name, keys in self.authorities.items() if keys & held}

    def named(self, raw: Document, problems: Problems) -> frozenset[str] | None:
        """The `trustRoots` of a key or identity, every unknown one reported; None for any of the set."""
        names: tuple[str, ...] | None = raw["trustRoots"]
        for index, name in enumerate(names or ()):
            if name is not None and name not in self.positions:
                hint = did_you_mean(name, self.positions) or _NO_ROOTS
                where = raw["@"].member("trustRoots").item(index)
                problems.add(where, f"no trust root is called {name!r}", hint)
        return None if names is None else frozenset(names)

    def times(self, problems: Problems) -> TrustedTimes | None:
        """What proves times against them; None where there are none."""
        if not self.texts:
            return None
        made: TrustedTimes | None = self._make("stagepass.trustedtime", "TrustedTimes", problems)
        return made

    def certificates(self, problems: Problems) -> Certificates | None:
        """What verifies certificates under them: for a set that names an identity."""
        if not self.texts:
            return None
        made: Certificates | None = self._make(
            "stagepass.keyless.verify", "CertificateVerifier", problems
        )
        return made

    def _make(self, module: str, name: str, problems: Problems) -> Any:
        """Loaded by name: the libraries behind cost 430 CPU-ms, and are no part of a plain install."""
        at = next(iter(self.positions.values()))
        try:
            return getattr(import_module(module), name)(self.texts)
        except ModuleNotFoundError as error:
            message = (
                f"trust roots and identities need the package {error.name!r}, which is not here"
            )
            problems.add(at, message, _NOT_INSTALLED)
        except InputError as error:
            problems.add(self.positions.get(error.where, at), error.message, error.hint)
        return None

    def _add(
        self, raw: Document, file: Callable[[At, str], bytes | None], problems: Problems
    ) -> None:
        at: At = raw["@"]
        name, path, wanted = raw["name"], raw["file"], raw["sha256"]
        if name in self.positions:
            problems.add(at.member("name"), f"two trust roots are called {name!r}")
        self.positions.setdefault(name, at)
        text = file(at.member("file"), path) if path else None
        if text is None or wanted is None or name is None:
            return
        actual = Digest.of(text).hex
        if actual != wanted:
            problems.add(
                at.member("sha256"),
                f"{path} is not the file that was trusted: its sha256 is another",
                f"if the change is meant, write sha256: {actual}",
            )
            return
        try:
            parts = TrustedRoot.parse(text)
        except InputError as error:
            problems.add(at.member("file"), f"{path}: {error.message}", error.hint)
            return
        twin = next((n for n, other in self.texts.items() if other == text and n != name), None)
        if twin is not None:
            problems.add(at.member("file"), f"the same file is trust root {twin!r} already")
            return
        self.texts.setdefault(name, text)
        self.authorities[name] = frozenset(_keys(parts))


@dataclass(slots=True)
class Identities:
    """Builds the identities of a set, and sees to it that each certificate has one owner."""

    roots: TrustRoots
    problems: Problems
    _built: list[tuple[Key, Identity, At]] = field(default_factory=list)

    def build(self, raw: Document) -> Key | None:
        """One entry of an attestor; None after a problem that leaves nothing to compare."""
        at: At = raw["@"]
        roots = self.roots.named(raw, self.problems)
        if not self.roots.positions:
            self.problems.add(at, "an identity needs a trust root to verify under", _NO_ROOTS)
        if None in (raw["issuer"], raw["subject"], raw["owner"]):
            return None
        claims = raw["claims"] or {}
        identity = Identity(
            raw["issuer"],
            raw["subject"],
            {name: glob for name, glob in claims.items() if name != "@" and glob is not None},
            roots,
        )
        clusters = None if raw["clusters"] is None else frozenset(raw["clusters"])
        key = Key(
            identity,
            raw["owner"],
            clusters,
            raw["validFrom"],
            raw["validUntil"],
            allow_wide=raw["allowWide"],
        )
        self._built.append((key, identity, at))
        return key

    def check_owners(self) -> None:
        """
        Report two owners that one certificate could be of: which of them signed would be a guess.

        Of each identity at most one such other is told.
        """
        for later, earlier in sorted(self._conflicts().items()):
            (first, _, where), (second, _, at) = self._built[earlier], self._built[later]
            self.problems.add(
                at,
                f"a certificate could be of {second.owner!r} here and of {first.owner!r} ({where})",
                "give both the same owner, or patterns that exclude each other",
            )

    def _conflicts(self) -> dict[int, int]:
        """
        Later place → earlier one. Each is compared up to its first conflict: all of them would be as many
        as the square.
        """
        widened = [self._widened(identity) for _, identity, _ in self._built]
        sizes = [len(identity.id) for identity in widened]
        found: dict[int, int] = {}
        compared = 0
        for one, others in alike(widened, [key.owner for key, *_ in self._built]):
            for other in others:
                compared += sizes[one] + sizes[other]
                if compared > _MAX_COMPARED:
                    self.problems.add(
                        self._built[one][2],
                        "too many identities are too much alike to tell whether their owners are told apart",
                        "write more of each out: one segment, the end, or a claim that none of them shares",
                    )
                    return found
                if widened[one].overlaps(widened[other]):
                    found.setdefault(max(one, other), min(one, other))
                    break
        return found

    def _widened(self, identity: Identity) -> Identity:
        if identity.roots is None:
            return identity
        return replace(identity, roots=self.roots.akin(identity.roots))


def _keys(parts: TrustedRoot) -> Iterator[bytes]:
    for authority in parts.certificate_authorities:
        for certificate in authority.chain:
            yield certificate.public_key().public_bytes(
                Encoding.DER, PublicFormat.SubjectPublicKeyInfo
            )
