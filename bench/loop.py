"""
The least that fetching and verifying costs in Python: no server, no policy, no checks beyond these.

One thread, one kept connection of urllib3, one request after the other (peers-baseline, section 5).
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import Any

import urllib3
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_SHA256 = ec.ECDSA(hashes.SHA256())


class Loop:
    """Runs in a process of its own; `keys` are PEM public keys."""

    def __init__(self, host: str, repository: str, keys: list[bytes]) -> None:
        self._pool = urllib3.PoolManager(retries=False)
        self._base = f"http://{host}/v2/{repository}"
        self._keys: dict[str, ec.EllipticCurvePublicKey] = {}
        for pem in keys:
            key = serialization.load_pem_public_key(pem)
            assert isinstance(key, ec.EllipticCurvePublicKey)
            der = key.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self._keys[base64.b64encode(hashlib.sha256(der).digest()).decode()] = key

    def verify(self, digests: list[str], passes: int) -> list[float]:
        """Each image's passes in turn; seconds each. Raises for anything but `passes` good ones."""
        took = []
        for digest in digests:
            started = time.perf_counter()
            verified = self._verify(digest)
            took.append(time.perf_counter() - started)
            assert verified == passes
        return took

    def _verify(self, subject: str) -> int:
        listing = json.loads(self._get(f"referrers/{subject}"))
        for entry in listing["manifests"]:
            manifest = json.loads(self._content("manifests", entry["digest"]))
            bundle = json.loads(self._content("blobs", manifest["layers"][0]["digest"]))
            self._check(bundle, subject.removeprefix("sha256:"))
        return len(listing["manifests"])

    def _check(self, bundle: dict[str, Any], subject: str) -> None:
        envelope = bundle["dsseEnvelope"]
        payload = base64.b64decode(envelope["payload"])
        kind = envelope["payloadType"].encode()
        signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
        key = self._keys[bundle["verificationMaterial"]["publicKey"]["hint"]]
        key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), signed, _SHA256)
        assert json.loads(payload)["subject"][0]["digest"]["sha256"] == subject

    def _content(self, kind: str, digest: str) -> bytes:
        data = self._get(f"{kind}/{digest}")
        assert f"sha256:{hashlib.sha256(data).hexdigest()}" == digest
        return data

    def _get(self, path: str) -> bytes:
        reply = self._pool.request("GET", f"{self._base}/{path}")
        assert reply.status == 200
        return reply.data
