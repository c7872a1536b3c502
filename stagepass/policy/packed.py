"""
A policy set as one file: what a ConfigMap can carry, whose keys hold no '/'.

After a first line come the records that a set's revision is the sha256 of: `NAMELENGTH:NAME:LENGTH:CONTENT`
in the order of names, lengths in bytes. One set has one packed form, and only that form unpacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stagepass.errors import InputError

PACKED_FILE = "policy-set.packed"
"""Alone in its directory, it stands for the set."""
MAX_PACKED = 1 << 20
"""What Kubernetes lets the values of one ConfigMap take, in bytes."""

_HEADER = b"stagepass.dev/policy-set/v1\n"
_MAX_FILES, _MAX_NAME, _MAX_DEPTH = 2_000, 1_024, 16


def pack(files: Mapping[str, bytes]) -> bytes:
    """The packed form of `files`. Raises `InputError` for what would not unpack again."""
    _check(files)
    body = b"".join(records(files))
    if len(_HEADER) + len(body) > MAX_PACKED:
        hint = "one ConfigMap holds no more: take out what no policy names"
        raise InputError(
            f"the set takes {len(_HEADER) + len(body)} bytes, over {MAX_PACKED}", hint=hint
        )
    return _HEADER + body


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a packed set. Raises `InputError` for anything that `pack` does not write."""
    if len(data) > MAX_PACKED:
        raise InputError(f"over {MAX_PACKED} bytes")
    if not data.startswith(_HEADER):
        raise InputError("does not begin as a packed policy set")
    files: dict[str, bytes] = {}
    at = len(_HEADER)
    while at < len(data):
        raw, at = field(data, at)
        if data[at : at + 1] != b":":
            raise InputError("not a packed policy set: a name without its end")
        content, at = field(data, at + 1)
        try:
            files[raw.decode()] = content
        except UnicodeDecodeError as error:
            raise InputError(f"a file name that is not UTF-8: {raw[:100]!a}") from error
        if len(files) > _MAX_FILES:
            raise InputError(f"over {_MAX_FILES} files")
    _check(files)
    if _HEADER + b"".join(records(files)) != data:
        raise InputError("not as a policy set is packed: an order, a number or a name given twice")
    return files


def records(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """What the revision of `files` is the hash of."""
    for name in sorted(files):
        yield f"{len(name.encode())}:{name}:{len(files[name])}:".encode()
        yield files[name]


def field(data: bytes, at: int) -> tuple[bytes, int]:
    """The bytes behind `LENGTH:` at `at`, and where they end."""
    colon = data.find(b":", at, at + 9)
    digits = data[at:colon] if colon >= 0 else b""
    if not digits.isdigit() or colon + 1 + int(digits) > len(data):
        raise InputError(f"not a packed policy set: no length at byte {at}, or one past the end")
    end = colon + 1 + int(digits)
    return data[colon + 1 : end], end


def _check(files: Mapping[str, bytes]) -> None:
    """Only what could lie in a directory, where hidden files are no part of a set."""
    if len(files) > _MAX_FILES:
        raise InputError(f"over {_MAX_FILES} files")
    for name in files:
        parts = name.split("/")
        bad = any(not part or part.startswith(".") for part in parts) or name == PACKED_FILE
        if bad or not name.isprintable() or len(name) > _MAX_NAME or len(parts) > _MAX_DEPTH:
            raise InputError(f"{name[:200]!a} is not the name of a file of a policy set")
        folders = ("/".join(parts[:end]) for end in range(1, len(parts)))
        if both := next((folder for folder in folders if folder in files), None):
            raise InputError(f"{both!r} is a file and a directory")
