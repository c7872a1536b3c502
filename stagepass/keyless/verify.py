"""
Bundles of certificates, verified against the trust roots of a policy set: offline, from files alone.

Sigstore's library judges chain, log, time and signature. What it leaves to its caller is done here:
exactly one subject and issuer, and that a root still relied on its parts when the certificate lived.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from sigstore.errors import Error
from sigstore.models import Bundle, ClientTrustConfig, InvalidBundle
from sigstore.verify import Verifier

from stagepass import bundle as bundles
from stagepass.clock import format_time
from stagepass.decision import Code
from stagepass.errors import AttestationError, InputError
from stagepass.identity import Opened, Span
from stagepass.keyless.holder import certified
from stagepass.tlog import signers
from stagepass.trustroot import Authority, EntryLog, Log, TrustedRoot, Validity

# A trusted root alone is public API as a file only, and a gate may have nowhere to write one.
_CONFIG = {
    "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
    "signingConfig": {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    },
}
# The keys that the library reads (`sigstore._internal.trust.Key`); logs with others it leaves out.
_DETAILS = {
    "PKCS1_RSA_PKCS1V5",
    *(f"PKIX_RSA_PKCS1V15_{bits}_SHA256" for bits in (2048, 3072, 4096)),
    *("PKIX_ECDSA_P256_SHA_256", "PKIX_ECDSA_P384_SHA_384", "PKIX_ECDSA_P521_SHA_512"),
    "PKIX_ED25519",
}
_MAX_NAME = 150  # characters of an issuer in a reason, which is cut at 300
_NOISE = re.compile(r" \(encountered processing .*\)|: expected log_index=.*")


class _AnyHolder:
    """Who signed is judged by the attestor, against every identity of the set, and not in here."""

    def verify(self, cert: x509.Certificate) -> None:
        """Takes every certificate."""


@dataclass(frozen=True, slots=True)
class _Root:
    """
    One trust root, by its name in the policy, with the verifier made of it.

    `looked_up` are the ids of logs for which the library takes the key of that log and no other.
    """

    name: str
    parts: TrustedRoot
    looked_up: frozenset[bytes]
    verifier: Verifier = field(repr=False)

    @classmethod
    def read(cls, name: str, data: bytes) -> _Root:
        parts = TrustedRoot.parse(data)
        for what, found in (
            ("certificate authority", parts.certificate_authorities),
            ("certificate transparency log", parts.ct_logs),
            ("transparency log", parts.logs),
        ):
            if not found:
                raise InputError(
                    f"names no {what}, without which no certificate verifies",
                    hint="take the whole trusted_root.json of the instance",
                )
        try:
            config = ClientTrustConfig.from_json(
                json.dumps({**_CONFIG, "trustedRoot": _timeless(json.loads(data))})
            )
            return cls(name, parts, _looked_up(parts), Verifier(trusted_root=config.trusted_root))
        except (Error, ValueError) as error:
            raise InputError(f"Sigstore cannot read it: {_reason(error)}") from error

    def named(self, issuer: x509.Name) -> list[Authority]:
        """Those of its authorities that go by the name of `issuer`."""
        authorities = self.parts.certificate_authorities
        return [a for a in authorities if any(c.subject == issuer for c in a.chain)]

    def verify(self, bundle: Bundle, entry: Mapping[str, Any]) -> tuple[str, bytes]:
        """
        Payload type and payload; `entry` is the one log entry of `bundle`.

        Raises `AttestationError` with `SIGNATURE_INVALID`.
        """
        try:
            opened = self.verifier.verify_dsse(bundle, _AnyHolder())
            self._was_relied_on(bundle.signing_certificate, entry)
        except AttestationError:
            raise
        except Exception as error:
            # Whatever a stranger's bytes do to the library, they hide no better evidence.
            reason = _reason(error)
            if "not valid at validation time" in reason:
                leaf = bundle.signing_certificate
                reason += f"; the certificate lived from {_life(leaf)}"
            raise _invalid(f"does not verify under trust root {self.name!r}: {reason}") from error
        return opened

    def _was_relied_on(self, leaf: x509.Certificate, entry: Mapping[str, Any]) -> None:
        """The library takes keys that a root has retired, whenever they signed."""
        issuers = self.named(leaf.issuer)
        if len(issuers) > 1:
            # A signature of P-384 costs 0.7 ms; of one name alone, the library has verified it.
            issuers = [a for a in issuers if any(_issued(c, leaf) for c in a.chain)]
        self._one_of("certificate authority", leaf, (authority.valid for authority in issuers))
        self._one_of("transparency log", leaf, (log.valid for log in self._signers(leaf, entry)))
        scts = leaf.extensions.get_extension_for_class(
            x509.PrecertificateSignedCertificateTimestamps
        ).value
        seen_by = self.looked_up & {sct.log_id for sct in scts}
        logs = (log.valid for log in self.parts.ct_logs if log.key_id in seen_by)
        self._one_of("certificate transparency log", leaf, logs)

    def _signers(self, leaf: x509.Certificate, entry: Mapping[str, Any]) -> list[EntryLog]:
        """
        The logs that the entry names; it has verified under some key of the root.

        For an id that is no SHA-256 of a key, and of Rekor v2 none is, the library tries all keys. Where
        it matters which (0.15 ms), raises `AttestationError` for another's than the named log's.
        """
        log_id = base64.b64decode(entry["logId"]["keyId"], validate=True)
        named = [log for log in self.parts.logs if log.key_id == log_id]
        if log_id in self.looked_up or all(_overlaps(log.valid, leaf) for log in self.parts.logs):
            return named
        found = signers(entry, named)
        if named and not found:
            reason = "its log entry is not signed by the key of the log that it names"
            raise _invalid(f"{reason}, in trust root {self.name!r}")
        return found

    def _one_of(self, what: str, leaf: x509.Certificate, periods: Iterable[Validity]) -> None:
        if not any(_overlaps(period, leaf) for period in periods):
            raise _invalid(
                f"trust root {self.name!r} does not rely on its {what} for a certificate that lived"
                f" from {_life(leaf)}"
            )


class CertificateVerifier:
    """The `Certificates` of a key ring. `roots` are the texts of Sigstore trusted roots, by name."""

    def __init__(self, roots: Mapping[str, bytes]) -> None:
        """Raises `InputError` for a text that is no trusted root, with its name as `where`."""
        self._roots = []
        for name, data in roots.items():
            try:
                self._roots.append(_Root.read(name, data))
            except InputError as error:
                raise InputError(error.message, where=name, hint=error.hint) from error

    def verify(self, data: bytes, bundle: bundles.Bundle | None = None) -> Opened:
        """
        Who signed the bundle: under every trust root whose authority issued its certificate.

        Several count at once, so that both files of a rotation do. `signed` is the certificate's life,
        in which every proven time lies. Raises `AttestationError`: `SIGNATURE_INVALID`,
        `SIGNER_UNKNOWN` for a certificate that names not exactly one, or `STATEMENT_INVALID`.
        """
        read, entry = _read(data, bundle or bundles.Bundle.parse(data))
        leaf = read.signing_certificate
        roots = self._roots_of(leaf)
        found: dict[str, tuple[str, bytes]] = {}
        reasons: list[AttestationError] = []
        for root in roots:
            try:
                found[root.name] = root.verify(read, entry)
            except AttestationError as error:
                reasons.append(error)
        if not found:
            raise _invalid("; ".join(dict.fromkeys(error.message for error in reasons)))
        payload_type, payload = next(iter(found.values()))
        life = Span(leaf.not_valid_before_utc, leaf.not_valid_after_utc)
        return Opened(certified(leaf, frozenset(found)), life, payload_type, payload)

    def _roots_of(self, leaf: x509.Certificate) -> list[_Root]:
        """Those with an authority of the name that issued `leaf`. Raises `AttestationError` for none."""
        try:
            # Parsed only now, and printed only where its strings are of a kind that can be.
            issuer = leaf.issuer
            roots = [root for root in self._roots if root.named(issuer)]
            text = "" if roots else _short(issuer.rfc4514_string())
        except Exception as error:
            reason = f"its certificate's issuer cannot be read: {type(error).__name__}"
            raise AttestationError(Code.STATEMENT_INVALID, reason) from error
        if not roots:
            known = ", ".join(root.name for root in self._roots)
            raise _invalid(f"its certificate is by {text!r}, of none of the trust roots: {known}")
        return roots


def _timeless(root: dict[str, Any]) -> dict[str, Any]:
    """
    A root whose parts have all begun: the library drops the others by the clock of this machine.

    Of authorities it does so once, when the verifier is made: one that begins tomorrow would never
    count. `_was_relied_on` judges by the certificate's life instead, whatever time it is here.
    """
    begun = [a["validFor"] for a in root["certificateAuthorities"]]
    begun += [log["publicKey"]["validFor"] for log in (*root["tlogs"], *root["ctlogs"])]
    for valid in begun:
        valid["start"] = "1970-01-01T00:00:00Z"
    return root


def _looked_up(parts: TrustedRoot) -> frozenset[bytes]:
    """The ids under which the library has a key: it makes them itself, as SHA-256 of the key's DER."""
    logs = (*parts.logs, *parts.ct_logs)
    right = {log.key_id for log in logs if log.details in _DETAILS and _id_of(log) == log.key_id}
    return frozenset(right - {log.key_id for log in logs if _id_of(log) != log.key_id})


def _id_of(log: Log) -> bytes:
    try:
        key = load_der_public_key(log.key)
    except (ValueError, UnsupportedAlgorithm):
        return b""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).digest()


def _read(data: bytes, parsed: bundles.Bundle) -> tuple[Bundle, Mapping[str, Any]]:
    """The bundle as the library reads it, and its one log entry."""
    entries = parsed.log_entries
    if len(entries) != 1:
        raise _invalid(
            f"a certificate counts with exactly one log entry, and there are {len(entries)}"
        )
    try:
        return Bundle.from_json(data), entries[0]
    except InvalidBundle as error:
        raise _invalid(_reason(error)) from error
    except Exception as error:  # as above: not this library's, but what it is built on
        reason = f"Sigstore cannot read the bundle: {_reason(error)}"
        raise AttestationError(Code.STATEMENT_INVALID, reason) from error


def _issued(authority: x509.Certificate, leaf: x509.Certificate) -> bool:
    """By its key, and not by its name alone: an authority's successor may well be called the same."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _overlaps(period: Validity, leaf: x509.Certificate) -> bool:
    born, died = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    return period.start <= died and (period.end is None or born <= period.end)


def _life(leaf: x509.Certificate) -> str:
    return f"{format_time(leaf.not_valid_before_utc)} to {format_time(leaf.not_valid_after_utc)}"


def _reason(error: Exception) -> str:
    """In one line, and without what is for whoever debugs the library."""
    text = " ".join(str(error).split()) or type(error).__name__
    return _NOISE.sub("", text)


def _short(text: str) -> str:
    return text if len(text) <= _MAX_NAME else f"{text[:_MAX_NAME]}…"


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.SIGNATURE_INVALID, message)
