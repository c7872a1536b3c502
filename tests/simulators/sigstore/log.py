"""
Transparency logs: Rekor v1 (a promise, a time) and Rekor v2 (neither), and what they keep.

An entry here is the JSON form of `dev.sigstore.rekor.v1.TransparencyLogEntry`, as bundles carry it.
"""

from __future__ import annotations

import base64
import secrets
import struct
import threading
from datetime import datetime
from hashlib import sha256, sha384
from typing import Any
from urllib.parse import urlsplit

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulators.sigstore import merkle
from tests.simulators.sigstore.lies import HONEST, Lies

__all__ = ["LogV1", "LogV2", "Verifier", "dsse_body", "hashedrekord_body", "pae", "v1_answer"]

Json = dict[str, Any]
Verifier = x509.Certificate | ec.EllipticCurvePublicKey
Key = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_DETAILS = {
    "secp256r1": ("PKIX_ECDSA_P256_SHA_256", "SHA2_256", sha256),
    "secp384r1": ("PKIX_ECDSA_P384_SHA_384", "SHA2_384", sha384),
}
_V1_OFFSET = 4_163_431
"""Entries of older shards: the index in the log is not the one in the tree."""


def b64(data: bytes) -> str:
    """Standard base64."""
    return base64.b64encode(data).decode()


def pae(payload_type: str, payload: bytes) -> bytes:
    """What a DSSE signature is over (protocol.md, PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _pem(verifier: Verifier) -> bytes:
    if isinstance(verifier, x509.Certificate):
        return verifier.public_bytes(Encoding.PEM)
    return verifier.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def dsse_body(envelope: Json, verifier: Verifier, raw: bytes = b"") -> bytes:
    """A `dsse` 0.0.1 body; `raw` is the envelope as it was sent, which its hash is of."""
    (signature,) = envelope["signatures"]
    payload = base64.b64decode(envelope["payload"])
    spec: Json = {
        "envelopeHash": _hash(raw or rfc8785.dumps(envelope)),
        "payloadHash": _hash(payload),
        "signatures": [{"signature": signature["sig"], "verifier": b64(_pem(verifier))}],
    }
    return rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})


def _hash(data: bytes) -> Json:
    return {"algorithm": "sha256", "value": sha256(data).hexdigest()}


def hashedrekord_body(envelope: Json, verifier: Verifier) -> bytes:
    """A `hashedrekord` 0.0.2 body over the PAE: what Rekor v2 keeps of a DSSE envelope."""
    (signature,) = envelope["signatures"]
    key = verifier.public_key() if isinstance(verifier, x509.Certificate) else verifier
    assert isinstance(key, ec.EllipticCurvePublicKey)
    details, algorithm, digest = _DETAILS[key.curve.name]
    signed = pae(envelope["payloadType"], base64.b64decode(envelope["payload"]))
    return record(algorithm, digest(signed).digest(), signature["sig"], details, verifier)


def record(algorithm: str, digest: bytes, sig: str, details: str, verifier: Verifier) -> bytes:
    """A `hashedrekord` 0.0.2 body of these parts."""
    if isinstance(verifier, x509.Certificate):
        named = {"x509Certificate": {"rawBytes": b64(verifier.public_bytes(Encoding.DER))}}
    else:
        der = verifier.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        named = {"publicKey": {"rawBytes": b64(der)}}
    signature = {"content": sig, "verifier": {"keyDetails": details, **named}}
    data = {"algorithm": algorithm, "digest": b64(digest)}
    spec: Json = {"hashedRekordV002": {"data": data, "signature": signature}}
    return rfc8785.dumps({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec})


class _Log:
    """A tree, its key and its checkpoints. Safe to use from several threads."""

    kind, version = "", ""
    offset = 0

    def __init__(self, url: str, keys: tuple[Key, Key], log_id: bytes, origin: str) -> None:
        """`keys` are the log's own, and a stranger's to forge with."""
        self.url, self.id, self.origin = url, log_id, origin
        self.key, self._stranger = keys
        self.name = urlsplit(url).hostname or ""
        self._lock = threading.Lock()
        # Never a tree of one: a proof without a hash would hide mistakes in reading it.
        self._leaves = [merkle.leaf_hash(secrets.token_bytes(8)) for _ in range(3)]

    def sign(self, data: bytes, forged: bool = False) -> bytes:
        """A signature by the log's key, or by a stranger's."""
        key = self._stranger if forged else self.key
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        return key.sign(data, ec.ECDSA(hashes.SHA256()))

    def _checkpoint(self, size: int, root: bytes, forged: bool) -> str:
        """A signed note (C2SP tlog-checkpoint), by the first four bytes of the log's id."""
        text = f"{self.origin}\n{size}\n{b64(root)}\n"
        signature = struct.pack("4s", self.id) + self.sign(text.encode(), forged)
        return f"{text}\n\u2014 {self.name} {b64(signature)}\n"

    def _append(self, body: bytes, lies: Lies) -> Json:
        """The entry with its proof in the tree as it then is."""
        with self._lock:
            self._leaves.append(merkle.leaf_hash(body))
            index, size = len(self._leaves) - 1, len(self._leaves)
            hashes_, root = merkle.path(index, self._leaves), merkle.root(self._leaves)
        signed_root = secrets.token_bytes(32) if lies.wrong_root else root
        if lies.wrong_proof:
            hashes_ = [*hashes_[:-1], secrets.token_bytes(32)]
        proof: Json = {
            "logIndex": str(index),
            "rootHash": b64(root),
            "treeSize": str(size),
            "hashes": [b64(each) for each in hashes_],
        }
        if not lies.no_checkpoint:
            note = self._checkpoint(size, signed_root, lies.unsigned_checkpoint)
            proof["checkpoint"] = {"envelope": note}
        return {
            "logIndex": str(index + self.offset),
            "logId": {"keyId": b64(self.id)},
            "kindVersion": {"kind": self.kind, "version": self.version},
            "inclusionProof": proof,
            "canonicalizedBody": b64(body),
        }


def _p256() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class LogV1(_Log):
    """Rekor v1: its origin line ends in a tree id, and it promises the time of an entry (SET)."""

    kind, version, offset = "dsse", "0.0.1", _V1_OFFSET

    def __init__(self, url: str, *, posing_as: LogV1 | None = None) -> None:
        key = _p256()
        spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.tree: int = posing_as.tree if posing_as else secrets.randbits(62)
        log_id = posing_as.id if posing_as else sha256(spki).digest()
        origin = f"{urlsplit(url).hostname} - {self.tree}"
        super().__init__(url, (key, _p256()), log_id, origin)

    def add(self, body: bytes, at: datetime, lies: Lies = HONEST) -> Json:
        """Append at `at`."""
        entry = self._append(body, lies)
        seconds = int((at + lies.logged_after).timestamp())
        promised = {
            "body": entry["canonicalizedBody"],
            "integratedTime": seconds,
            "logID": self.id.hex(),
            "logIndex": int(entry["logIndex"]),
        }
        promise = self.sign(rfc8785.dumps(promised), lies.forged_promise)
        entry["integratedTime"] = str(seconds + int(lies.moved_time.total_seconds()))
        if not lies.no_promise:
            entry["inclusionPromise"] = {"signedEntryTimestamp": b64(promise)}
        return entry


class LogV2(_Log):
    """Rekor v2: its origin is the host of its URL, its key Ed25519, and it knows no time."""

    kind, version = "hashedrekord", "0.0.2"

    def __init__(self, url: str, *, posing_as: LogV2 | None = None) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        origin = urlsplit(url).hostname or ""
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        own = sha256(f"{origin}\n\x01".encode() + raw).digest()
        keys = (key, ed25519.Ed25519PrivateKey.generate())
        super().__init__(url, keys, posing_as.id if posing_as else own, origin)

    def add(self, body: bytes, _at: datetime, lies: Lies = HONEST) -> Json:
        """Append."""
        return self._append(body, lies)


def v1_answer(log: LogV1, entry: Json) -> tuple[str, Json]:
    """How Rekor v1's API words an entry: its UUID, and the body of the answer."""
    proof = entry["inclusionProof"]
    body = base64.b64decode(entry["canonicalizedBody"])
    uuid = f"{log.tree:016x}{merkle.leaf_hash(body).hex()}"
    worded = {
        "body": entry["canonicalizedBody"],
        "integratedTime": int(entry["integratedTime"]),
        "logID": base64.b64decode(entry["logId"]["keyId"]).hex(),
        "logIndex": int(entry["logIndex"]),
        "verification": {
            "inclusionProof": {
                "checkpoint": proof["checkpoint"]["envelope"],
                "hashes": [base64.b64decode(each).hex() for each in proof["hashes"]],
                "logIndex": int(proof["logIndex"]),
                "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                "treeSize": int(proof["treeSize"]),
            },
            "signedEntryTimestamp": entry["inclusionPromise"]["signedEntryTimestamp"],
        },
    }
    return uuid, {uuid: worded}
