"""
Entries of Rekor logs, as bundles carry them: when a log says that it took in this very signature.

Of a log that the trust roots name, everything is checked (attestations.md R12, R13): the entry is of
this signature by this key, it lies in the tree, and the log signed that tree. Only its signature over
the entry and the time (the SET) makes `integratedTime` a time; entries of Rekor v2 have neither.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stagepass import canonical, strictjson
from stagepass.algorithms import Message
from stagepass.attestor import PublicKey
from stagepass.decision import Code
from stagepass.envelope import Envelope
from stagepass.errors import AttestationError, InputError
from stagepass.trustroot import EntryLog

_MAX_BODY, _MAX_DEPTH = 1 << 20, 16
_MAX_HASHES = 64  # a proof of a tree of 2^64 entries
_DSSE, _HASHED = ("dsse", "0.0.1"), ("hashedrekord", "0.0.2")
_NUMBER = re.compile(r"0|[1-9]\d{0,15}", re.ASCII)
_MAX_NUMBER = (1 << 53) - 1  # canonical JSON (RFC 8785), which the SET is over, knows no larger one
_SIGNED_BY = re.compile(r"\N{EM DASH} (\S+) ([A-Za-z0-9+/]+=*)")
_PEM = re.compile(rb"\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*")


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry, read: `index` is where the log says it is, `proof_index` where in this tree."""

    log_id: bytes
    kind: tuple[str, str]
    body: bytes
    index: int
    integrated: int
    promise: bytes
    proof_index: int
    size: int
    root: bytes
    hashes: tuple[bytes, ...]
    checkpoint: str


def log_time(
    entry: Mapping[str, Any], logs: Sequence[EntryLog], envelope: Envelope, key: PublicKey
) -> datetime | None:
    """
    When the log took in `envelope`'s signature by `key`; None where no log of `logs`, or no time.

    Raises `AttestationError` for an entry of one of `logs` that is not of this signature, or not real.
    """
    log_id = _log_id(entry)
    known = [log for log in logs if log.key_id == log_id]
    if not known:
        return None
    read = _read(entry, log_id)
    _refuse_another(read, envelope, key)
    if _root(read) != read.root:
        raise _invalid("does not lie in the tree that its proof names")
    if not any(_is_checkpoint_of(read, log) for log in known):
        raise _invalid("lies in a tree that its log did not sign")
    if read.kind == _HASHED:
        if read.index != read.proof_index:
            raise _invalid("is not where its proof says")
        return None
    return _promised(read, known) if read.promise else None


def _log_id(entry: Mapping[str, Any]) -> bytes:
    """Of the log that it names, b"" where it names none."""
    try:
        return _bytes(_member(entry, "logId"), "keyId")
    except AttestationError:
        return b""


def signers(entry: Mapping[str, Any], logs: Sequence[EntryLog]) -> list[EntryLog]:
    """
    Those of `logs` that the entry names and whose own key signed its tree, and its time if it has one.

    That it lies in this tree is for `log_time` or another to find out. Raises `AttestationError`.
    """
    log_id = _log_id(entry)
    read = _read(entry, log_id)
    found = [log for log in logs if log.key_id == log_id and _is_checkpoint_of(read, log)]
    return _promisers(read, found) if read.promise and read.integrated else found


def _promisers(entry: _Entry, logs: Sequence[EntryLog]) -> list[EntryLog]:
    """Those that signed the SET: the time, and the body and its place as well."""
    signed = canonical.dumps(
        {
            "body": base64.b64encode(entry.body).decode(),
            "integratedTime": entry.integrated,
            "logID": entry.log_id.hex(),
            "logIndex": entry.index,
        }
    )
    return [log for log in logs if log.algorithm.verifies(entry.promise, Message(signed))]


def _promised(entry: _Entry, logs: Sequence[EntryLog]) -> datetime:
    """The time under the log's signature (the SET)."""
    signers = _promisers(entry, logs)
    if not signers:
        raise _invalid("has a time that its log did not sign")
    try:
        moment = datetime.fromtimestamp(entry.integrated, UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise _invalid("has a time beyond the calendar") from error
    if not any(log.valid.covers(moment) for log in signers):
        raise _invalid("is of a time at which its log's key was not valid")
    return moment


def _refuse_another(entry: _Entry, envelope: Envelope, key: PublicKey) -> None:
    """The body must be of this payload, signature and key (CVE-2022-36056)."""
    try:
        body = strictjson.loads_object(entry.body, max_bytes=_MAX_BODY, max_depth=_MAX_DEPTH)
    except InputError as error:
        raise _invalid(f"has a body that is {error.message}") from error
    if (body.get("kind"), body.get("apiVersion")) != entry.kind:
        raise _invalid("is of another kind than its body")
    spec = _member(body, "spec")
    if entry.kind == _DSSE:
        is_this = _is_dsse_of(spec, envelope, key)
    elif entry.kind == _HASHED:
        is_this = _is_hashed_of(_member(spec, "hashedRekordV002"), envelope, key)
    else:
        raise _invalid(f"is of the kind {'/'.join(entry.kind)!r}, which is not read")
    if not is_this:
        raise _invalid("is of another signature, key or payload")


def _is_dsse_of(spec: Mapping[str, Any], envelope: Envelope, key: PublicKey) -> bool:
    digest = _member(spec, "payloadHash")
    signatures = spec.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1:
        return False
    signature = _object(signatures[0], "a signature")
    return (
        digest.get("algorithm") == "sha256"
        and digest.get("value") == hashlib.sha256(envelope.payload).hexdigest()
        and _bytes(signature, "signature") == envelope.signature
        and _pem_id(_bytes(signature, "verifier")) == key.id
    )


def _is_hashed_of(spec: Mapping[str, Any], envelope: Envelope, key: PublicKey) -> bool:
    """Rekor v2 keeps the digest of what is signed, not of the payload."""
    data, signature = _member(spec, "data"), _member(spec, "signature")
    public = _member(_member(signature, "verifier"), "publicKey")
    message = Message(envelope.signed_bytes)
    return (
        _bytes(data, "digest") == message.under(key.algorithm.hash_name or "sha512")
        and _bytes(signature, "content") == envelope.signature
        and _id_of(_bytes(public, "rawBytes")) == key.id
    )


def _pem_id(pem: bytes) -> str:
    found = _PEM.fullmatch(pem)
    try:
        return _id_of(base64.b64decode(b"".join(found[1].split()), validate=True)) if found else ""
    except (binascii.Error, ValueError):
        return ""


def _id_of(der: bytes) -> str:
    return base64.b64encode(hashlib.sha256(der).digest()).decode()


def _root(entry: _Entry) -> bytes:
    """The root that the proof leads to from this entry (RFC 6962 2.1.1; RFC 9162 2.1.3.2)."""
    index, last = entry.proof_index, entry.size - 1
    if index > last:
        raise _invalid("lies beyond the tree that its proof names")
    node = hashlib.sha256(b"\x00" + entry.body).digest()
    for sibling in entry.hashes:
        if last == 0:
            raise _invalid("has a proof that is too long")
        if index & 1 or index == last:
            node = hashlib.sha256(b"\x01" + sibling + node).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\x01" + node + sibling).digest()
        index, last = index >> 1, last >> 1
    if last:
        raise _invalid("has a proof that is too short")
    return node


def _is_checkpoint_of(entry: _Entry, log: EntryLog) -> bool:
    """Whether `log` signed a checkpoint (a C2SP signed note) of the tree in the proof."""
    note, blank, signatures = entry.checkpoint.partition("\n\n")
    lines = note.split("\n")
    tree = [str(entry.size), base64.b64encode(entry.root).decode()]
    if not blank or lines[1:3] != tree:
        return False
    message = Message(f"{note}\n".encode())
    for line in signatures.split("\n"):
        found = _SIGNED_BY.fullmatch(line)
        # Rekor v1 appends its tree's number to the origin; the signer's name is signed by nobody.
        if not found or (lines[0] != found[1] and not lines[0].startswith(f"{found[1]} - ")):
            continue
        raw = _base64(found[2])
        if raw[:4] == log.note_id and log.algorithm.verifies(raw[4:], message):
            return True
    return False


def _read(entry: Mapping[str, Any], log_id: bytes) -> _Entry:
    kind, proof = _member(entry, "kindVersion"), _member(entry, "inclusionProof")
    hashes = proof.get("hashes", [])
    if not isinstance(hashes, list) or len(hashes) > _MAX_HASHES:
        raise _invalid("has a proof whose hashes are not a short list")
    promise = _member(entry, "inclusionPromise") if entry.get("inclusionPromise") else {}
    checkpoint = _member(proof, "checkpoint").get("envelope")
    if not isinstance(checkpoint, str):
        raise _invalid("has no checkpoint")
    return _Entry(
        log_id=log_id,
        kind=(str(kind.get("kind")), str(kind.get("version"))),
        body=_bytes(entry, "canonicalizedBody"),
        index=_number(entry, "logIndex"),
        integrated=_number(entry, "integratedTime"),
        promise=_bytes(promise, "signedEntryTimestamp") if promise else b"",
        proof_index=_number(proof, "logIndex"),
        size=_number(proof, "treeSize"),
        root=_bytes(proof, "rootHash"),
        hashes=tuple(_base64(value) for value in hashes),
        checkpoint=checkpoint,
    )


def _member(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return _object(parent.get(name), name)


def _object(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _invalid(f"has no {what}, or one that is no object")
    return value


def _number(parent: Mapping[str, Any], name: str) -> int:
    """An int64 of protobuf's JSON: text by rule, a number by permission, absent where it is 0."""
    value = parent.get(name, "0")
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or not _NUMBER.fullmatch(text) or int(text) > _MAX_NUMBER:
        raise _invalid(f"has a {name} that is no count")
    return int(text)


def _bytes(parent: Mapping[str, Any], name: str) -> bytes:
    return _base64(parent.get(name), name)


def _base64(value: object, what: str = "hash") -> bytes:
    found = strictjson.base64_bytes(value)
    if not found:
        raise _invalid(f"has a {what} that is not base64")
    return found


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.SIGNATURE_INVALID, f"its log entry {message}")
