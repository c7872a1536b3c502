"""The attestors of a translation: keys and identities, named, each once and with one owner."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from stagepass.attestor import PublicKey
from stagepass.errors import InputError
from stagepass.importing.common import Node, Untranslatable

_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----", re.ASCII)
PUBLIC_GOOD = "public-good"
"""The trust root of Sigstore's public instance, by the name that is given to it here."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An entry of `identities`. `root` is the name of the trust root that it counts under."""

    issuer: str
    subject: str
    root: str


@dataclass(frozen=True, slots=True)
class Signer:
    """What one attestor holds: PEM keys and identities, any of which may sign."""

    keys: tuple[str, ...] = ()
    identities: tuple[Identity, ...] = ()


@dataclass(slots=True)
class Book:
    """
    Every attestor by its name.

    A key has one owner in a set: the first attestor that had it. Identities of one issuer have one
    owner as well, for two patterns of different owners must not meet in one certificate.
    """

    _signers: dict[str, Signer] = field(default_factory=dict)
    _files: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, name: str, signer: Signer) -> str:
        """Enter an attestor, or find the one that holds the same. Returns its name."""
        for known, other in self._signers.items():
            if other == signer:
                return known
        unique = distinct(slug(name), self._signers)
        self._signers[unique] = signer
        for index, pem in enumerate(signer.keys):
            file = unique if len(signer.keys) == 1 else f"{unique}-{index + 1}"
            self._files.setdefault(pem, (f"keys/{distinct_file(file, self._files)}.pub", unique))
        return unique

    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        return tuple(sorted(self._signers))

    def document(self, used: Iterable[str], roots: Mapping[str, bytes]) -> dict[str, Any] | None:
        """The Attestors document with those that something names; `roots` are files by name."""
        attestors = {n: self._entry(self._signers[n]) for n in sorted(used) if n in self._signers}
        if not attestors:
            return None
        trusted = [
            {
                "name": name,
                "file": root_file(name),
                "sha256": hashlib.sha256(roots[name]).hexdigest(),
            }
            for name in sorted(self.roots(used))
            if name in roots
        ]
        head = {"apiVersion": "stagepass.dev/v1", "kind": "Attestors"}
        return head | ({"trustRoots": trusted} if trusted else {}) | {"attestors": attestors}

    def files(self, used: Iterable[str]) -> dict[str, bytes]:
        """The key files of those attestors."""
        return {
            self._files[pem][0]: pem.encode()
            for name in used
            if name in self._signers
            for pem in self._signers[name].keys
        }

    def roots(self, used: Iterable[str]) -> set[str]:
        """The trust roots that those attestors need."""
        return {i.root for n in used if n in self._signers for i in self._signers[n].identities}

    def _entry(self, signer: Signer) -> dict[str, Any]:
        keys = [{"file": file, "owner": owner} for file, owner in map(self._files.get, signer.keys)]  # type: ignore[misc]  # every key was entered with its file
        identities = [
            {
                "issuer": identity.issuer,
                "subject": identity.subject,
                "owner": urlsplit(identity.issuer).hostname or identity.issuer,
                "trustRoots": [identity.root],
            }
            for identity in signer.identities
        ]
        return ({"keys": keys} if keys else {}) | ({"identities": identities} if identities else {})


def pem_keys(node: Node) -> list[str]:
    """
    The PEM public keys in a text, each whole and usable.

    Raises `Untranslatable` where something else stands there, or a key that does not count.
    """
    text = node.text()
    found = _PEM.findall(text)
    if not found or _PEM.sub("", text).strip():
        raise Untranslatable(
            node, "this is no PEM public key", "write the key itself (BEGIN PUBLIC KEY)"
        )
    keys = ["\n".join(line.strip() for line in pem.strip().splitlines()) + "\n" for pem in found]
    for key in keys:
        try:
            PublicKey.parse(key.encode())
        except InputError as error:
            raise Untranslatable(node, error.message, error.hint or "sign with another") from error
    return keys


def root_file(name: str) -> str:
    """Where the trust root of that name lies in the set."""
    return f"trust/{slug(name)}.json"


def root_of(url: str) -> str:
    """The name of the trust root that certificates of the Fulcio at `url` need."""
    host = urlsplit(url).hostname or url
    return PUBLIC_GOOD if host == "fulcio.sigstore.dev" else f"fulcio-{slug(host)}"


def slug(text: str) -> str:
    """`text` as a name that is a safe file name too."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.rpartition("/")[2].lower()).strip("-.") or "signer"


def distinct(name: str, taken: Iterable[str]) -> str:
    """`name`, or with the first number behind it that makes it a new one."""
    known = set(taken)
    numbered = (name if i == 1 else f"{name}-{i}" for i in range(1, len(known) + 2))
    return next(candidate for candidate in numbered if candidate not in known)


def distinct_file(name: str, files: Mapping[str, tuple[str, str]]) -> str:
    """The same for the stem of a key file."""
    return distinct(
        name, (file.removeprefix("keys/").removesuffix(".pub") for file, _ in files.values())
    )
