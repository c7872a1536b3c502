"""A whole sigstore in one object: authority, logs, time stamps, and bundles without any HTTP."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.simulators.sigstore import root as documents
from tests.simulators.sigstore.authority import Authority, CertificateLog, spki
from tests.simulators.sigstore.fulcio import Identity
from tests.simulators.sigstore.lies import HONEST, Lies
from tests.simulators.sigstore.log import (
    LogV1,
    LogV2,
    Verifier,
    b64,
    dsse_body,
    hashedrekord_body,
    pae,
)
from tests.simulators.sigstore.root import Windows
from tests.simulators.sigstore.tsa import Tsa

__all__ = ["IN_TOTO", "Sigstore"]

Json = dict[str, Any]
Logs = dict[str, LogV1 | LogV2]
IN_TOTO = "application/vnd.in-toto+json"
_BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_LIFE = timedelta(days=3650)
_EVER = Windows()


class Sigstore:
    """
    An instance of its own: its keys are new, so no other instance's root knows them.

    `url` is where its services (would) answer; Rekor v2's origin is that URL's host. Roots are
    valid for ten years before and after `now`.
    """

    def __init__(
        self,
        name: str = "miniature",
        *,
        url: str = "https://sigstore.example.com",
        now: datetime | None = None,
    ) -> None:
        now = (now or datetime.now(UTC)).replace(microsecond=0)
        life = (now - _LIFE, now + _LIFE)
        self.name, self.url, self.since = name, url, life[0]
        self.tsa_url = f"{url}/api/v1/timestamp"
        self.authority, self._foreign_authority = (Authority(name, life) for _ in range(2))
        self._foreign_certificate_log = CertificateLog()
        self.v1, self.v2 = LogV1(url), LogV2(url)
        self._logs: Logs = {"v1": self.v1, "v2": self.v2}
        self._foreign_logs: Logs = {"v1": LogV1(url), "v2": LogV2(url)}
        self._posing_logs: Logs = {
            "v1": LogV1(url, posing_as=self.v1),
            "v2": LogV2(url, posing_as=self.v2),
        }
        self.tsa, self._foreign_tsa = (Tsa(name, self.tsa_url, life) for _ in range(2))

    def trusted_root(self, windows: Windows = _EVER) -> bytes:
        """trusted_root.json of this instance, by default with all its parts, valid always."""
        parts = (self.authority, self.v1, self.v2, self.tsa)
        return documents.trusted_root(self.url, *parts, windows)

    def signing_config(self, log: str = "v1", *, tsa: bool = False, oidc: str = "") -> bytes:
        """signing_config.json for the log `v1` or `v2`, with or without time stamps."""
        return json.dumps(self._signing_config(log, tsa, oidc), indent=1).encode()

    def _signing_config(self, log: str, tsa: bool, oidc: str) -> Json:
        return documents.signing_config(
            self.url, self.tsa_url, self.since, log=log, tsa=tsa, oidc=oidc
        )

    def trust_config(self, log: str = "v1", *, tsa: bool = False, oidc: str = "") -> bytes:
        """A ClientTrustConfig: root and signing config in one file."""
        return documents.trust_config(self.trusted_root(), self._signing_config(log, tsa, oidc))

    def certify(
        self,
        key: ec.EllipticCurvePublicKey,
        identity: Identity,
        at: datetime | None = None,
        lies: Lies = HONEST,
    ) -> x509.Certificate:
        """A leaf for `key` that lives from `at` (by default now) for ten minutes."""
        authority = self._foreign_authority if lies.foreign_authority else self.authority
        at = at or datetime.now(UTC)
        return authority.issue(key, identity, at, lies, self._foreign_certificate_log)

    def bundle(
        self,
        payload: bytes,
        identity: Identity,
        *,
        at: datetime | None = None,
        log: str | None = "v1",
        tsa: bool = False,
        lies: Lies = HONEST,
        payload_type: str = IN_TOTO,
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> bytes:
        """
        A keyless bundle over `payload`, signed at `at` (by default now).

        `log` is `v1`, `v2` or None; `key` is the ephemeral key, by default a new one.
        """
        at = at or datetime.now(UTC)
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self.certify(key.public_key(), identity, at, lies)
        envelope = _envelope(payload, payload_type, key, lies)
        material = {"certificate": {"rawBytes": b64(certificate.public_bytes(Encoding.DER))}}
        logged: Verifier = certificate
        if lies.foreign_certificate:
            logged = self.certify(key.public_key(), identity, at)
        if lies.foreign_entry:
            envelope_logged = _envelope(b'{"other": "payload"}', payload_type, key, HONEST)
            material |= self._witnesses(envelope_logged, logged, log, False, at, lies)
            material |= self._witnesses(envelope, logged, None, tsa, at, lies)
        else:
            material |= self._witnesses(envelope, logged, log, tsa, at, lies)
        return _bundle(material, envelope)

    def keyed(
        self,
        payload: bytes,
        key: ec.EllipticCurvePrivateKey,
        *,
        at: datetime | None = None,
        log: str | None = None,
        tsa: bool = False,
        lies: Lies = HONEST,
        payload_type: str = IN_TOTO,
    ) -> bytes:
        """A bundle signed with a key of one's own; `log` and `tsa` say who proves its time."""
        der = spki(key.public_key())
        material = {"publicKey": {"hint": b64(sha256(der).digest())}}
        bare = _bundle(material, _envelope(payload, payload_type, key, lies))
        return self.witness(bare, key.public_key(), at=at, log=log, tsa=tsa, lies=lies)

    def witness(
        self,
        bundle: bytes,
        verifier: Verifier,
        *,
        at: datetime | None = None,
        log: str | None = None,
        tsa: bool = False,
        lies: Lies = HONEST,
    ) -> bytes:
        """`bundle` with one more log entry and/or time stamp; what it has stays."""
        document = json.loads(bundle)
        envelope, material = document["dsseEnvelope"], document["verificationMaterial"]
        at = at or datetime.now(UTC)
        logged = envelope
        if lies.foreign_entry:
            logged = {**envelope, "payload": b64(b'{"other": "payload"}')}
        new = self._witnesses(logged, verifier, log, False, at, lies)
        new |= self._witnesses(envelope, verifier, None, tsa, at, lies)
        if "tlogEntries" in new:
            material["tlogEntries"] = [*material.get("tlogEntries", []), *new["tlogEntries"]]
        if "timestampVerificationData" in new:
            stamps = material.setdefault("timestampVerificationData", {"rfc3161Timestamps": []})
            stamps["rfc3161Timestamps"] += new["timestampVerificationData"]["rfc3161Timestamps"]
        return json.dumps(document).encode()

    def _witnesses(
        self,
        envelope: Json,
        verifier: Verifier,
        log: str | None,
        tsa: bool,
        at: datetime,
        lies: Lies,
    ) -> Json:
        """The members of `verificationMaterial` that a log and a time stamp authority fill."""
        material: Json = {}
        if log:
            body = {"v1": dsse_body, "v2": hashedrekord_body}[log](envelope, verifier)
            material["tlogEntries"] = [self.log(log, lies).add(body, at, lies)]
        if tsa and not lies.no_tsa:
            signature = base64.b64decode(envelope["signatures"][0]["sig"])
            stamp = {"signedTimestamp": b64(self.stamp(signature, at, lies))}
            material["timestampVerificationData"] = {"rfc3161Timestamps": [stamp]}
        return material

    def log(self, log: str, lies: Lies = HONEST) -> LogV1 | LogV2:
        """The log `v1` or `v2`, or the one that poses as it."""
        if lies.foreign_log:
            return self._foreign_logs[log]
        if lies.stolen_log_id:
            return self._posing_logs[log]
        return self._logs[log]

    def tsa_for(self, lies: Lies) -> Tsa:
        """The time stamp authority, or the one of the same names that no root knows."""
        return self._foreign_tsa if lies.foreign_tsa else self.tsa

    def stamp(self, signature: bytes, at: datetime, lies: Lies = HONEST) -> bytes:
        """A time stamp response in DER over `signature`."""
        data = b"other bytes" if lies.foreign_stamp else signature
        return self.tsa_for(lies).stamp(data, at + lies.stamped_after)


def _envelope(
    payload: bytes, payload_type: str, key: ec.EllipticCurvePrivateKey, lies: Lies
) -> Json:
    algorithm = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
    signed = b'{"other": "payload"}' if lies.foreign_signature else payload
    signature = key.sign(pae(payload_type, signed), ec.ECDSA(algorithm))
    return {
        "payload": b64(payload),
        "payloadType": payload_type,
        "signatures": [{"sig": b64(signature)}],
    }


def _bundle(material: Json, envelope: Json) -> bytes:
    document = {
        "mediaType": _BUNDLE_TYPE,
        "verificationMaterial": material,
        "dsseEnvelope": envelope,
    }
    return json.dumps(document).encode()
