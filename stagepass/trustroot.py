"""Sigstore trusted roots: the certificate authorities, logs and time stamp authorities of an instance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key

from stagepass import strictjson
from stagepass.algorithms import Algorithm, VerifyingKey
from stagepass.clock import parse_time
from stagepass.errors import InputError

MAX_BYTES = 1 << 20
_MAX_DEPTH = 16
_MEDIA_TYPES = (
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "application/vnd.dev.sigstore.trustedroot.v0.2+json",
)
_HINT = "a trusted root as Sigstore's TUF repositories hold it: trusted_root.json"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Validity:
    """When something may be relied on: both ends inclusive (protobuf-specs, `TimeRange`), None open."""

    start: datetime
    end: datetime | None = None

    def covers(self, moment: datetime) -> bool:
        """Whether it may be relied on for what happened at `moment`."""
        return self.start <= moment and (self.end is None or moment <= self.end)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate or time stamp authority. `chain` is leaf first, root last."""

    name: str
    uri: str
    chain: tuple[x509.Certificate, ...]
    valid: Validity


@dataclass(frozen=True, slots=True)
class Log:
    """A log. `key_id` is the id its entries carry, `key` the raw bytes of its public key."""

    url: str
    key_id: bytes
    key: bytes = field(repr=False)
    details: str
    valid: Validity


@dataclass(frozen=True, slots=True)
class EntryLog(Log):
    """A Rekor log, with its key loaded. `note_id` is the hint in its checkpoints' signatures, 4 bytes."""

    note_id: bytes
    algorithm: Algorithm = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TrustedRoot:
    """One file's authorities and logs, in its order."""

    certificate_authorities: tuple[Authority, ...]
    ct_logs: tuple[Log, ...]
    logs: tuple[EntryLog, ...]
    timestamp_authorities: tuple[Authority, ...]

    @classmethod
    def parse(cls, data: bytes) -> TrustedRoot:
        """Raises `InputError` that names the member, as `tlogs[0].logId.keyId`."""
        document = strictjson.loads_object(data, max_bytes=MAX_BYTES, max_depth=_MAX_DEPTH)
        if document.get("mediaType") not in _MEDIA_TYPES:
            raise InputError(
                f"mediaType {document.get('mediaType')!r} is no trusted root", hint=_HINT
            )
        return cls(
            _each(document, "certificateAuthorities", _authority),
            _each(document, "ctlogs", _log),
            _each(document, "tlogs", _entry_log),
            _each(document, "timestampAuthorities", _stamping),
        )


def _each(
    document: Mapping[str, Any], name: str, read: Callable[[Mapping[str, Any], str], _T]
) -> tuple[_T, ...]:
    values = document.get(name, [])
    if not isinstance(values, list):
        raise InputError(f"{name} is not a list")
    return tuple(
        read(_object({"": value}, "", f"{name}[{index}]"), f"{name}[{index}]")
        for index, value in enumerate(values)
    )


def _authority(entry: Mapping[str, Any], path: str) -> Authority:
    chain = _member(entry, "certChain", path)
    where = f"{path}.certChain.certificates"
    certificates = chain.get("certificates")
    if not isinstance(certificates, list) or not certificates:
        raise InputError(f"{where} is not a list of certificates")
    loaded = tuple(_certificate(c, f"{where}[{i}]") for i, c in enumerate(certificates))
    subject = _member(entry, "subject", path) if "subject" in entry else {}
    names = (subject.get(member) for member in ("organization", "commonName"))
    return Authority(
        name=", ".join(name for name in names if isinstance(name, str) and name),
        uri=_text(entry, "uri", path),
        chain=loaded,
        valid=_validity(entry, path),
    )


def _stamping(entry: Mapping[str, Any], path: str) -> Authority:
    found = _authority(entry, path)
    leaf, root = found.chain[0], found.chain[-1]
    if len(found.chain) < 2 or root.issuer != root.subject:
        where = f"{path}.certChain.certificates"
        raise InputError(f"{where} does not end with a root", hint="the signer's certificate first")
    try:
        leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError) as error:
        where = f"{path}.certChain.certificates[0]"
        raise InputError(f"{where} is no certificate that stamps times") from error
    return found


def _certificate(value: object, path: str) -> x509.Certificate:
    raw = _bytes(_object({"": value}, "", path), "rawBytes", path)
    try:
        return x509.load_der_x509_certificate(raw)
    except ValueError as error:
        raise InputError(f"{path}.rawBytes is not a certificate") from error


def _log(entry: Mapping[str, Any], path: str) -> Log:
    public = _member(entry, "publicKey", path)
    return Log(
        url=_text(entry, "baseUrl", path),
        key_id=_bytes(_member(entry, "logId", path), "keyId", f"{path}.logId"),
        key=_bytes(public, "rawBytes", f"{path}.publicKey"),
        details=_text(public, "keyDetails", f"{path}.publicKey"),
        valid=_validity(public, f"{path}.publicKey"),
    )


def _entry_log(entry: Mapping[str, Any], path: str) -> EntryLog:
    log = _log(entry, path)
    where = f"{path}.publicKey.rawBytes"
    try:
        key = load_der_public_key(log.key)
        if not isinstance(key, VerifyingKey):
            raise InputError(f"{where} is a key that signs no log")
        algorithm = Algorithm.of(key)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"{where} is not a public key") from error
    except InputError as error:
        raise InputError(f"{where}: {error.message}", hint=error.hint) from error
    note_id = log.key_id
    if "checkpointKeyId" in entry:
        other = f"{path}.checkpointKeyId"
        note_id = _bytes(_member(entry, "checkpointKeyId", path), "keyId", other)
    return EntryLog(log.url, log.key_id, log.key, log.details, log.valid, note_id[:4], algorithm)


def _validity(entry: Mapping[str, Any], path: str) -> Validity:
    valid = _member(entry, "validFor", path)
    start = _time(valid, "start", f"{path}.validFor")
    end = _time(valid, "end", f"{path}.validFor") if "end" in valid else None
    if end is not None and end < start:
        raise InputError(f"{path}.validFor ends before it starts")
    return Validity(start, end)


def _member(entry: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    return _object(entry, name, f"{path}.{name}")


def _object(entry: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
    value = entry.get(name)
    if not isinstance(value, dict):
        raise InputError(f"{path} is not an object")
    return value


def _text(entry: Mapping[str, Any], name: str, path: str) -> str:
    value = entry.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"{path}.{name} is not text")
    return value


def _time(entry: Mapping[str, Any], name: str, path: str) -> datetime:
    try:
        return parse_time(entry.get(name))
    except InputError as error:
        raise InputError(f"{path}.{name}: {error.message}", hint=error.hint) from error


def _bytes(entry: Mapping[str, Any], name: str, path: str) -> bytes:
    found = strictjson.base64_bytes(entry.get(name))
    if not found:
        raise InputError(f"{path}.{name} is not base64")
    return found
