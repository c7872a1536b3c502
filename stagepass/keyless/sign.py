"""
Signing as an identity: with a key made for this once, that a certificate authority (Fulcio) binds to
what an OIDC token says, and with an entry in a transparency log (Rekor).
"""

from __future__ import annotations

import json
from pathlib import Path

from cryptography import x509
from sigstore import dsse
from sigstore.errors import Error
from sigstore.models import ClientTrustConfig
from sigstore.oidc import IdentityToken
from sigstore.sign import Signer, SigningContext

from stagepass import strictjson
from stagepass.attestor import KeyRing
from stagepass.bundle import Bundle
from stagepass.decision import Code
from stagepass.errors import AttestationError, InputError, Unavailable
from stagepass.identity import Certified, Glob, Identity, Span
from stagepass.keyless import roots, tokens
from stagepass.keyless.calls import call, local_or_https, told
from stagepass.keyless.holder import certified
from stagepass.keyless.verify import CertificateVerifier

_MAX_CONFIG, _MAX_DEPTH = 1 << 20, 32
_ROOT = "the trust configuration"
_NO_ROOTS: frozenset[str] = frozenset()  # of a policy set, which is not asked here


def open_signer(token: str | None, config: bytes | None, *, where: str, state: Path) -> Keyless:
    """
    The holder of `token`, or of the one that this CI job can get.

    `config` is a ClientTrustConfig from the file `where`, None for the public instance's, fetched by TUF
    with what is remembered in `state`. Raises `InputError` and `Unavailable`.
    """
    identity = tokens.read(token) if token is not None else tokens.ambient()
    if config is not None:
        return Keyless(identity, _Instance(config, where))
    try:
        found = trust_config(roots.PUBLIC_GOOD, state, None)
        return Keyless(identity, _Instance(found, roots.PUBLIC_GOOD))
    except roots.Untrusted as error:
        raise InputError(str(error), hint="or name a --trust-config") from error


def trust_config(url: str, state: Path, root: bytes | None) -> bytes:
    """The ClientTrustConfig of the instance whose TUF repository is at `url`. Raises as `roots.fetch`."""
    names = [roots.TRUSTED_ROOT, roots.SIGNING_CONFIG]
    trusted, signing = roots.fetch(url, names, state, root).values()
    return _composed(json.loads(trusted), json.loads(signing))


def joined(root: bytes, signing: bytes, *, root_from: str, signing_from: str) -> tuple[bytes, str]:
    """
    The ClientTrustConfig made of `trusted_root.json` and `signing_config.json` of one instance.

    With the URL of its certificate authority. Raises `InputError` for what nobody could sign by, with
    the file that is at fault, which is `root_from` or `signing_from`.
    """
    CertificateVerifier({root_from: root})
    limits = {"max_bytes": _MAX_CONFIG, "max_depth": _MAX_DEPTH}
    trusted = strictjson.loads_object(root, **limits)
    try:
        config = _composed(trusted, strictjson.loads_object(signing, **limits))
        return config, _Instance(config, signing_from).authority
    except InputError as error:
        hint = "the instance's signing_config.json, as `cosign signing-config create` writes it"
        raise InputError(error.message, where=signing_from, hint=hint) from error


def _composed(trusted_root: strictjson.Json, signing_config: strictjson.Json) -> bytes:
    media_type = str(ClientTrustConfig.ClientTrustConfigType.CONFIG_0_1)
    document = {"trustedRoot": trusted_root, "signingConfig": signing_config}
    return strictjson.dumps({"mediaType": media_type, **document})


class _Instance:
    """One Sigstore instance, as its ClientTrustConfig says: whom to ask, and whom to trust."""

    def __init__(self, config: bytes, where: str) -> None:
        try:
            document = strictjson.loads_object(config, max_bytes=_MAX_CONFIG, max_depth=_MAX_DEPTH)
            parsed = ClientTrustConfig.from_json(config.decode())
            signing = parsed.signing_config
            self.context = SigningContext.from_trust_config(parsed)
            self.stamps = len(signing.get_tsas())
            self.authority = signing.get_fulcio().url
            self.verifier = CertificateVerifier({_ROOT: strictjson.dumps(document["trustedRoot"])})
        except InputError as error:
            raise InputError(error.message, where=where, hint=error.hint) from error
        except (Error, ValueError) as error:
            hint = "a ClientTrustConfig holds a trustedRoot and a signingConfig"
            raise InputError(told(error), where=where, hint=hint) from error
        # The token is a password for as long as it lives.
        local_or_https(self.authority, where)


class _Signer(Signer):
    """The library's, which has the certificate before it signs and tells nobody."""

    def certificate(self) -> x509.Certificate:
        """The one of this signer's key: asked for when the signer is made, and kept."""
        return self._signing_cert()


class _Text(dsse.Statement):
    """
    A statement of ours, which `attesting.seal` reads back by our own rules.

    The library's model has a closed list of digests without `gitCommit`, which a release names.
    """

    def __init__(self, payload: bytes) -> None:
        self._contents = payload


class Keyless:
    """The `stagepass.signing.Signer` of an identity. The certificate is asked for when it is needed."""

    def __init__(self, token: IdentityToken, instance: _Instance) -> None:
        self._token, self._instance = token, instance
        self._signer: _Signer | None = None

    @property
    def key_id(self) -> str:
        """Issuer and subject, as the certificate says: often not as the token does."""
        return self.certified.id

    @property
    def issuers(self) -> tuple[str, ...]:
        """The token's, and every text in it: which claim names the issuer is the authority's choice."""
        return self._token.federated_issuer, *tokens.texts(self._token)

    @property
    def certified(self) -> Certified:
        """Raises `InputError` where the authority refuses the token, `Unavailable` where it is away."""
        try:
            return certified(self._opened().certificate(), _NO_ROOTS)
        except AttestationError as error:
            raise InputError(error.message, where=self._instance.authority) from error

    @property
    def signed(self) -> Span:
        """The certificate's life, as the verifier counts it. Raises as `certified`."""
        leaf = self._opened().certificate()
        return Span(leaf.not_valid_before_utc, leaf.not_valid_after_utc)

    @property
    def ring(self) -> KeyRing:
        """Of this very issuer and subject, under the trusted root of the instance that signed."""
        holder = self.certified
        identity = Identity(holder.issuer, Glob(holder.subject))
        return KeyRing.of([(identity, "")], self._instance.verifier)

    def seal(self, payload: bytes) -> bytes:
        """
        The bundle, logged, and stamped by every time stamp authority that the instance names.

        Raises as `stagepass.signing.Signer`: one authority that fails is an error here, as the library
        goes on without it.
        """
        signer = self._opened()
        bundle, warnings = call(lambda: signer.sign_dsse(_Text(payload)), self._instance.authority)
        data = bundle.to_json().encode()
        missing = self._instance.stamps - len(Bundle.parse(data).timestamps)
        if missing:
            reason = "; ".join(warnings) or "no reason was given"
            message = f"{missing} time stamp(s) missing: {reason}"
            raise Unavailable(Code.REGISTRY_UNAVAILABLE, message)
        return data

    def _opened(self) -> _Signer:
        if self._signer is None:
            made, _ = call(
                lambda: _Signer(self._token, self._instance.context), self._instance.authority
            )
            self._signer = made
        return self._signer
