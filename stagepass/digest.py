"""Content addresses and image references, after the grammar of the distribution project."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from stagepass.errors import InputError

_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", re.ASCII)
_MAX_REFERENCE, _MAX_NAME = 512, 255
# What a container runtime adds to a name without a host. Left out, `nginx` would be read as a host.
_DEFAULT_HOST, _DEFAULT_NAMESPACE = "docker.io", "library"
_OLD_DEFAULT_HOST = "index.docker.io"


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A content address. sha256 only: weaker or unknown algorithms never get in."""

    hex: str

    @classmethod
    def parse(cls, text: str) -> Digest:
        """From `sha256:` and 64 lower-case hex digits. Raises `InputError`."""
        algorithm, _, hex_ = text.partition(":")
        if algorithm != "sha256" or not _HEX64.fullmatch(hex_):
            raise InputError(f"{text!r} is not 'sha256:' and 64 lower-case hex digits")
        return cls(hex_)

    @classmethod
    def of(cls, data: bytes) -> Digest:
        """The digest of `data` itself."""
        return cls(hashlib.sha256(data).hexdigest())

    def __str__(self) -> str:
        return f"sha256:{self.hex}"


@dataclass(frozen=True, slots=True, order=True)
class ImageRef:
    """Where an image is: host, repository, and a digest, a tag, or both (then the digest counts)."""

    host: str
    repository: str
    tag: str | None
    digest: Digest | None

    @classmethod
    def parse(cls, text: str) -> ImageRef:
        """From `[HOST/]REPOSITORY[:TAG][@sha256:HEX]`. Raises `InputError`, naming the part that is wrong."""
        if not text or len(text) > _MAX_REFERENCE:
            raise InputError(
                f"an image reference has 1 to {_MAX_REFERENCE} characters, this has {len(text)}"
            )
        if _HEX64.fullmatch(text):
            raise InputError(f"{text!r} is a bare digest", hint="write IMAGE@sha256:...")
        rest, at, digest_text = text.partition("@")
        digest = Digest.parse(digest_text) if at else None
        name, tag = _split_tag(rest)
        if tag is not None and not _TAG.fullmatch(tag):
            raise InputError(f"{text!r}: {tag!r} is not a tag")
        host, repository = _split_host(name)
        if not _HOST.fullmatch(host):
            raise InputError(f"{text!r}: {host!r} is not a registry host")
        for component in repository.split("/"):
            if not _COMPONENT.fullmatch(component):
                raise InputError(f"{text!r}: {component!r} is not a repository name")
        if len(host) + len(repository) >= _MAX_NAME:
            raise InputError(f"a repository has at most {_MAX_NAME} characters", where=f"{text!r}")
        return cls(host, repository, tag, digest)

    @property
    def name(self) -> str:
        """Host and repository: what policy patterns match, and a statement's subject name."""
        return f"{self.host}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def is_host(text: str) -> bool:
    """Whether a runtime takes the first part of a name for a host, not for a part of the path."""
    return bool(set(text) & set(".:")) or text == "localhost" or text != text.lower()


def _split_tag(rest: str) -> tuple[str, str | None]:
    head, colon, tail = rest.rpartition(":")
    if colon and "/" not in tail:
        return head, tail
    return rest, None


def _split_host(name: str) -> tuple[str, str]:
    host, slash, repository = name.partition("/")
    if not slash or not is_host(host):
        host, repository = _DEFAULT_HOST, name
    if host == _OLD_DEFAULT_HOST:
        host = _DEFAULT_HOST
    if host == _DEFAULT_HOST and "/" not in repository:
        repository = f"{_DEFAULT_NAMESPACE}/{repository}"
    return host, repository
