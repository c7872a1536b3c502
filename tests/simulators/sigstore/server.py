"""
The miniature behind HTTP on 127.0.0.1: Fulcio's, Rekor's and a time stamp authority's endpoints.

    with Provider("github") as github, Server(github) as server:
        config = server.sigstore.trust_config("v2", tsa=True)
        token = github.token()
"""

from __future__ import annotations

import base64
import json
import urllib.request
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    load_der_public_key,
    load_pem_public_key,
)

from tests.simulators.sigstore.lies import HONEST, Lies
from tests.simulators.sigstore.log import LogV1, Verifier, dsse_body, pae, record, v1_answer
from tests.simulators.sigstore.loopback import Answer, Loopback, Request, answer_json
from tests.simulators.sigstore.miniature import Sigstore
from tests.simulators.sigstore.oidc import AUDIENCE, Provider
from tests.simulators.sigstore.principal import Refused, identity_of, possessed

__all__ = ["Server"]

Json = dict[str, Any]
_PUBLIC_DETAILS = {"PKIX_ECDSA_P256_SHA_256": ("SHA2_256", hashes.SHA256())}


class Server(Loopback):
    """
    Serves one `sigstore`, which trusts the tokens of `providers`.

    `lies` are told to every client until changed, but for `foreign_certificate`, `foreign_signature`
    and `foreign_stamp`, which only a signer can tell, and for what Rekor v1's API cannot leave out
    (`no_checkpoint`, `no_promise`). `down` names services that answer 503: `ca`, `log`, `tsa`.
    """

    def __init__(self, *providers: Provider, name: str = "miniature") -> None:
        self.providers = {provider.issuer: provider for provider in providers}
        self.lies: Lies = HONEST
        self.down: set[str] = set()
        super().__init__()
        self.sigstore = Sigstore(name, url=self.url)

    def route(self, request: Request) -> Answer:
        """By path; what a client sends wrong is a 4xx with the reason."""
        service, serve = {
            "/api/v2/signingCert": ("ca", self._certify),
            "/api/v1/log/entries": ("log", self._log_v1),
            "/api/v2/log/entries": ("log", self._log_v2),
            "/api/v1/timestamp": ("tsa", self._stamp),
        }.get(request.path, ("", None))
        if serve is None or request.method != "POST":
            return answer_json(404, {"code": 5, "message": "not found"})
        if service in self.down:
            return answer_json(503, {"code": 14, "message": f"the {service} is down"})
        try:
            return serve(request)
        except Refused as refused:
            return answer_json(400, {"code": 3, "message": str(refused)})
        except InvalidSignature:
            return answer_json(400, {"code": 400, "message": "the signature does not verify"})
        except (LookupError, TypeError, ValueError) as error:
            return answer_json(400, {"code": 400, "message": f"malformed request: {error!r}"})

    def _certify(self, request: Request) -> Answer:
        kind, claims = self._claims(request.bearer())
        key = _possessed_key(json.loads(request.body), possessed(kind, claims))
        leaf = self.sigstore.certify(key, identity_of(kind, claims), lies=self.lies)
        chain = [leaf, *self.sigstore.authority.chain]
        pems = [each.public_bytes(Encoding.PEM).decode() for each in chain]
        # 200 and not 201: sigstore-go refuses any other.
        return answer_json(200, {"signedCertificateEmbeddedSct": {"chain": {"certificates": pems}}})

    def _claims(self, token: str) -> tuple[str, Json]:
        """The provider's kind and the claims of a verified token; raises `Refused`."""
        try:
            unverified = jwt.decode(token, options={"verify_signature": False})
            provider = self.providers[unverified["iss"]]
            key = _provider_key(provider, jwt.get_unverified_header(token)["kid"])
            claims = jwt.decode(
                token,
                key,
                algorithms=["RS256", "ES256"],
                audience=AUDIENCE,
                issuer=provider.issuer,
                options={"require": ["iss", "aud", "sub", "iat", "exp"]},
            )
        except (jwt.PyJWTError, KeyError) as error:
            text = f"There was an error processing the identity token: {error!r}"
            raise Refused(text) from error
        return provider.kind, claims

    def _log_v1(self, request: Request) -> Answer:
        proposed = json.loads(request.body)
        if (proposed["kind"], proposed["apiVersion"]) != ("dsse", "0.0.1"):
            raise Refused(f"no entries of kind {proposed['kind']} {proposed['apiVersion']} here")
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        (pem,) = content["verifiers"]
        verifier = _verifier(base64.b64decode(pem))
        (signature,) = envelope["signatures"]
        signed = pae(envelope["payloadType"], base64.b64decode(envelope["payload"]))
        sig = base64.b64decode(signature["sig"])
        _key_of(verifier).verify(sig, signed, ec.ECDSA(hashes.SHA256()))
        raw = content["envelope"].encode()
        if self.lies.foreign_entry:
            envelope = {**envelope, "payload": base64.b64encode(b"other").decode()}
        body = dsse_body(envelope, verifier, raw)
        log = self.sigstore.log("v1", self.lies)
        assert isinstance(log, LogV1)
        uuid, answer = v1_answer(log, log.add(body, datetime.now(UTC), self.lies))
        location = f"/api/v1/log/entries/{uuid}"
        return answer_json(201, answer, ETag=uuid, Location=location)

    def _log_v2(self, request: Request) -> Answer:
        asked = json.loads(request.body)["hashedRekordRequestV002"]
        signature, digest = asked["signature"], base64.b64decode(asked["digest"])
        named, details = signature["verifier"], signature["verifier"]["keyDetails"]
        if details not in _PUBLIC_DETAILS:
            raise Refused(f"unsupported key details {details}")
        (form,) = named.keys() & {"x509Certificate", "publicKey"}
        verifier = _verifier(base64.b64decode(named[form]["rawBytes"]))
        algorithm, hash_ = _PUBLIC_DETAILS[details]
        prehashed = ec.ECDSA(utils.Prehashed(hash_))
        _key_of(verifier).verify(base64.b64decode(signature["content"]), digest, prehashed)
        if self.lies.foreign_entry:
            digest = bytes(reversed(digest))
        body = record(algorithm, digest, signature["content"], details, verifier)
        entry = self.sigstore.log("v2", self.lies).add(body, datetime.now(UTC), self.lies)
        return answer_json(201, entry)

    def _stamp(self, request: Request) -> Answer:
        if self.lies.no_tsa:
            return answer_json(500, {"code": 500, "message": "no time today"})
        at = datetime.now(UTC) + self.lies.stamped_after
        stamp = self.sigstore.tsa_for(self.lies).answer(request.body, at)
        return Answer(201, stamp, "application/timestamp-reply")


def _provider_key(provider: Provider, key_id: str) -> jwt.PyJWK:
    """By discovery at the provider's loopback address, wherever its issuer name points."""

    def fetch(url: str) -> Json:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own loopback
            value: Json = json.loads(answer.read())
            return value

    configuration = fetch(f"{provider.url}/.well-known/openid-configuration")
    if configuration["issuer"] != provider.issuer:
        raise KeyError(f"discovery names the issuer {configuration['issuer']}")
    keys = {key["kid"]: key for key in fetch(configuration["jwks_uri"])["keys"]}
    return jwt.PyJWK(keys[key_id])


def _possessed_key(document: Json, subject: bytes) -> ec.EllipticCurvePublicKey:
    """The key to certify, from a CSR (sigstore-python) or a signed subject (cosign)."""
    if "certificateSigningRequest" in document:
        pem = base64.b64decode(document["certificateSigningRequest"])
        csr = x509.load_pem_x509_csr(pem)
        if not csr.is_signature_valid:
            raise InvalidSignature
        return _only_ec(csr.public_key())
    asked = document["publicKeyRequest"]
    key = _only_ec(load_pem_public_key(asked["publicKey"]["content"].encode()))
    proof = base64.b64decode(asked["proofOfPossession"])
    key.verify(proof, subject, ec.ECDSA(hashes.SHA256()))
    return key


def _verifier(data: bytes) -> Verifier:
    """A certificate or a public key, in PEM or DER."""
    if b"-----BEGIN CERTIFICATE-----" in data:
        return x509.load_pem_x509_certificate(data)
    if data.startswith(b"-----BEGIN"):
        return _only_ec(load_pem_public_key(data))
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError:
        return _only_ec(load_der_public_key(data))


def _key_of(verifier: Verifier) -> ec.EllipticCurvePublicKey:
    return _only_ec(verifier.public_key() if isinstance(verifier, x509.Certificate) else verifier)


def _only_ec(key: object) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Refused(f"no {type(key).__name__} here, only elliptic curves")
    return key
