"""Parsers of settings that several applications have, for `stagepass.environ.read`."""

from __future__ import annotations

from pathlib import Path

from stagepass.attestor import PublicKey
from stagepass.errors import InputError
from stagepass.registry.auth import Credentials

_MAX_PORT = 65_535


def public_key(path: str) -> PublicKey | None:
    """The key in the file `path`, None for "". Raises `InputError`."""
    if not path:
        return None
    try:
        return PublicKey.parse(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def directory(path: str) -> Path | None:
    """An existing directory, None for "". Raises `InputError`."""
    if path and not Path(path).is_dir():
        raise InputError(f"{path!r}: there is no such directory")
    return Path(path) if path else None


def credentials(path: str) -> Credentials:
    """Registry logins from a directory with a `config.json`, none for "". Raises `InputError`."""
    try:
        return Credentials.read(Path(path) if path else None)
    except InputError as error:
        raise InputError(str(error)) from error  # with the file, beside the variable


def address(text: str) -> str:
    """`text`, if it is HOST:PORT. Raises `InputError`."""
    _, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > _MAX_PORT:
        raise InputError(f"{text!r} is not HOST:PORT", hint="like 0.0.0.0:8443")
    return text


def flag(text: str) -> bool:
    """`yes` or `no`. Raises `InputError`."""
    if text not in ("yes", "no"):
        raise InputError(f"{text!r} is neither yes nor no")
    return text == "yes"


def optional_address(text: str) -> str:
    """The same, or ""."""
    return address(text) if text else ""


def mirrored_evidence_names(text: str) -> tuple[str, ...]:
    """As `evidence_names`, and `mirror:PATH`. Raises `InputError`."""
    return evidence_names(text, ("dir", "mirror"))


def evidence_names(text: str, kinds: tuple[str, ...] = ("dir",)) -> tuple[str, ...]:
    """`registry` and `dir:PATH`, comma separated; a directory must be there. Raises `InputError`."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    hint = f"write registry or {' or '.join(f'{kind}:PATH' for kind in kinds)}"
    if not names:
        raise InputError(f"{text!r} names no source", hint=hint)
    for name in names:
        if name == "registry":
            continue
        kind, colon, path = name.partition(":")
        if kind not in kinds or not colon or not path:
            raise InputError(f"{name!r} is not an evidence source", hint=hint)
        # A volume that is not mounted would read as "nothing is attested", everywhere, at once.
        if not Path(path).is_dir():
            raise InputError(f"{name!r}: there is no such directory")
    return names
