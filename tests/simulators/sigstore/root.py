"""The documents that a client reads: trusted root, signing config, and both in one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.simulators.sigstore.authority import Authority, spki
from tests.simulators.sigstore.log import LogV1, LogV2, b64
from tests.simulators.sigstore.tsa import Tsa

__all__ = ["Window", "Windows", "signing_config", "trust_config", "trusted_root"]

Json = dict[str, Any]
Window = tuple[datetime | None, datetime | None]

_ROOT_TYPE = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"
_SIGNING_TYPE = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
_CLIENT_TYPE = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"


@dataclass(frozen=True, slots=True)
class Windows:
    """
    From when until when a root trusts each part, where that is not all the time.

    (start, end), either None for "as ever". `without` names parts that the root does not list:
    `ca`, `ct`, `v1`, `v2`, `tsa`.
    """

    ca: Window = (None, None)
    ct: Window = (None, None)
    v1: Window = (None, None)
    v2: Window = (None, None)
    tsa: Window = (None, None)
    without: frozenset[str] = frozenset()


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _valid(window: Window, since: datetime) -> Json:
    start, end = window
    return {"start": _stamp(start or since), **({"end": _stamp(end)} if end else {})}


def _authority(url: str, organization: str, chain: Iterable[x509.Certificate], valid: Json) -> Json:
    return {
        "subject": {"organization": organization, "commonName": organization},
        "uri": url,
        "certChain": {
            "certificates": [{"rawBytes": b64(each.public_bytes(Encoding.DER))} for each in chain]
        },
        "validFor": valid,
    }


def _instance(url: str, log_id: bytes, key: Any, valid: Json) -> Json:
    details = "PKIX_ECDSA_P256_SHA_256"
    if isinstance(key, ed25519.Ed25519PublicKey):
        details = "PKIX_ED25519"
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    else:
        der = spki(key)
    return {
        "baseUrl": url,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": b64(der), "keyDetails": details, "validFor": valid},
        "logId": {"keyId": b64(log_id)},
    }


def trusted_root(
    url: str, authority: Authority, v1: LogV1, v2: LogV2, tsa: Tsa, windows: Windows
) -> bytes:
    """`trusted_root.json`, as a TUF repository would deliver it."""
    since = authority.life[0]

    def logs(name: str, log: LogV1 | LogV2) -> list[Json]:
        valid = _valid(getattr(windows, name), since)
        return [_instance(log.url, log.id, log.key.public_key(), valid)] * listed(name)

    def listed(name: str) -> bool:
        return name not in windows.without

    ct = authority.certificate_log
    ca = _authority(url, authority.organization, authority.chain, _valid(windows.ca, since))
    stamps = _authority(tsa.url, tsa.organization, tsa.chain, _valid(windows.tsa, since))
    ct_valid = _valid(windows.ct, since)
    document = {
        "mediaType": _ROOT_TYPE,
        "tlogs": [*logs("v1", v1), *logs("v2", v2)],
        "certificateAuthorities": [ca] * listed("ca"),
        "ctlogs": [_instance(f"{url}/ct", ct.id, ct.key.public_key(), ct_valid)] * listed("ct"),
        "timestampAuthorities": [stamps] * listed("tsa"),
    }
    return json.dumps(document, indent=1).encode()


def signing_config(
    url: str, tsa_url: str, since: datetime, *, log: str, tsa: bool, oidc: str = ""
) -> Json:
    """Where to get certificates and stamps, and which log (`v1` or `v2`) to write into."""

    def service(address: str, version: int = 1) -> Json:
        valid = {"start": _stamp(since)}
        named = {"url": address, "majorApiVersion": version, "validFor": valid}
        return {**named, "operator": "miniature"}

    return {
        "mediaType": _SIGNING_TYPE,
        "caUrls": [service(url)],
        "oidcUrls": [service(oidc)] if oidc else [],
        "rekorTlogUrls": [service(url, int(log[1:]))],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": [service(tsa_url)] if tsa else [],
        "tsaConfig": {"selector": "ANY"},
    }


def trust_config(root: bytes, config: Json) -> bytes:
    """A ClientTrustConfig: both documents in one, as `--trust-config` takes it."""
    document = {
        "mediaType": _CLIENT_TYPE,
        "trustedRoot": json.loads(root),
        "signingConfig": config,
    }
    return json.dumps(document, indent=1).encode()
