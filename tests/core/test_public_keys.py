"""Which public keys a policy set may name, and what is said of the others."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519

from stagepass.attestor import PublicKey
from stagepass.errors import InputError
from tests.world import signer

KEYS = Path(__file__).parent.parent / "fixtures" / "cosign-v3.1.3" / "keys"
ED25519_PRIME = (1 << 255) - 19

UNKNOWN_CURVE = b"""-----BEGIN PUBLIC KEY-----
ME4wEAYHKoZIzj0CAQYFK4EEACADOgAEcb7Zvxg19rDudV215lDA0AzI6GJW6gzd
lzuDZPjoUfTrA/qKPsL+zRuHmpA5Ms/O5BIvENMJdIc=
-----END PUBLIC KEY-----
"""
FOR_PSS_ALONE = b"""-----BEGIN PUBLIC KEY-----
MIIBIDALBgkqhkiG9w0BAQoDggEPADCCAQoCggEBALysVyCgZHT0KJ3RV1hpAYpE
4XyyUA4IONZCgJAuToJtD6cyzTEzxbag9MIH4kXGxvjnjcT84BpPrNdDqKSxgsDR
yDjrc7gG6NrJ9EUEOZbAgXn/GJBWvT+4UqvvWwkC2j0eEnnOmNhJES27QKfz8KWy
/9yB8R22DRaOvRd0u84KJ4F8zIJ9HSSsRyM4SKxjDsBdcG+Opt/px+DZU+IN+WOo
HHcluVcqFDy6ehjiAqPXF7gsQ/wH1lr+3lNOPNDoy3YBY/w7QERh2ARyYweRHhg9
6Vpp+FsfhMRNQoaS6Weh4KVzGkztgXauh3qkJT+sGxXVmnd9WF0MwoUQmq6/8zUC
AwEAAQ==
-----END PUBLIC KEY-----
"""
EXPLICIT_PARAMETERS = b"""-----BEGIN PUBLIC KEY-----
MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA
AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////
///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd
NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5
RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA
//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABJa44biTR9R+PYsR81jcWbXj
gvLk+6bBsWUp08jigiozCOx2j+Y/TbZJ/7W3ADJ/qhx9DnXeiXb7RCCLnUx9ZAg=
-----END PUBLIC KEY-----
"""


def pem(key: Any) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.PEM, kind))


def pkcs1(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)


def curve(kind: ec.EllipticCurve) -> bytes:
    return pem(ec.generate_private_key(kind).public_key())


def rsa_pem(bits: int, exponent: int = 65537) -> bytes:
    """A key of that shape; nobody has the other half."""
    return pem(rsa.RSAPublicNumbers(exponent, (1 << (bits - 1)) | 1).public_key())


def compressed(name: str) -> bytes:
    key = serialization.load_pem_public_key((KEYS / f"{name}.pub").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    point = key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    text = base64.encodebytes(head + point)
    return b"-----BEGIN PUBLIC KEY-----\n" + text + b"-----END PUBLIC KEY-----\n"


def small_order() -> list[bytes]:
    """Every encoding of a point whose eighth multiple is the neutral element (RFC 7748 section 7)."""
    eighth = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
    small = [0, 1, eighth, ED25519_PRIME - eighth, ED25519_PRIME - 1]
    ys = [*small, ED25519_PRIME, ED25519_PRIME + 1]
    return [(y | sign << 255).to_bytes(32, "little") for y in ys for sign in (0, 1)]


P256, ED25519 = curve(ec.SECP256R1()), pem(ed25519.Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize(
    ("file", "fingerprint", "algorithm"),
    [
        ("p256", "ibNafhvMjuP1cUJO46A7+9g1OAU5BwiGqQbnveuQj6A", "ECDSA P-256 with SHA-256"),
        ("p384", "vGy4Q/fFh8M8d8nVHauh4k5eJfTVPlJqldX1+Yv5oag", "ECDSA P-384 with SHA-384"),
        ("p521", "t8uTN+rfvbOo+ZgLXge+G7/TmPMdTF/abW2m4xQ1mvA", "ECDSA P-521 with SHA-512"),
        (
            "rsa2048",
            "o4a9RZ15xcyRQNgD5HrTpgOJteklH3TEVjew8BB67Fo",
            "RSA-2048 PKCS#1 v1.5 with SHA-256",
        ),
        (
            "rsa3072",
            "jB6IdwjM+wwMrl6Hk0x0AQNx4Y8OEKXcAp3Hp+fw+Lk",
            "RSA-3072 PKCS#1 v1.5 with SHA-256",
        ),
        (
            "rsa4096",
            "+pTL64+SOq8vq05MA1sboNXqM+VYJkrwR8xIcuEcNVY",
            "RSA-4096 PKCS#1 v1.5 with SHA-256",
        ),
    ],
)
def test_a_key_has_one_algorithm_and_the_fingerprint_that_ssh_keygen_prints(
    file: str, fingerprint: str, algorithm: str
) -> None:
    key = PublicKey.parse((KEYS / f"{file}.pub").read_bytes())

    assert key.openssh_fingerprint == f"SHA256:{fingerprint}"
    assert key.algorithm.name == algorithm


def test_so_does_an_ed25519_key() -> None:
    """RFC 8709 section 4: the blob is two strings. ssh-keygen reads no such PEM."""
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    blob = b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + key.public_bytes_raw()
    text = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")

    assert PublicKey.of(key).openssh_fingerprint == f"SHA256:{text}"
    assert PublicKey.of(key).algorithm.name == "Ed25519"


@pytest.mark.parametrize("file", [path.name for path in KEYS.iterdir()])
def test_the_id_is_the_hash_of_the_key_in_the_file(file: str) -> None:
    text = (KEYS / file).read_bytes()
    der = base64.b64decode(b"".join(text.splitlines()[1:-1]))

    key = PublicKey.parse(text)
    assert key.id == base64.b64encode(hashlib.sha256(der).digest()).decode()
    assert key == PublicKey.parse(b"# ours since 2026\n" + text.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (rsa_pem(1024), "an RSA key of 1024 bits"),
        (rsa_pem(2047), "an RSA key of 2047 bits"),
        (rsa_pem(16392), "an RSA key of 16392 bits"),
        (rsa_pem(2048, 3), "an RSA key with the exponent 3"),
        (rsa_pem(2048, (1 << 31) + 1), "an RSA key with the exponent 2147483649"),
        (curve(ec.SECP224R1()), "an ECDSA secp224r1 key"),
        (curve(ec.SECP256K1()), "an ECDSA secp256k1 key"),
        (curve(ec.BrainpoolP256R1()), "an ECDSA brainpoolP256r1 key"),
        (UNKNOWN_CURVE, "Curve 1.3.132.0.32"),
        (pem(dsa.generate_private_key(2048).public_key()), "of the kind DSA"),
        (pem(ed448.Ed448PrivateKey.generate().public_key()), "of the kind Ed448"),
        (pem(x25519.X25519PrivateKey.generate().public_key()), "of the kind X25519"),
    ],
)
def test_a_key_of_another_kind_or_size_does_not_count_and_the_error_says_what_does(
    text: bytes, what: str
) -> None:
    with pytest.raises(InputError, match=what) as caught:
        PublicKey.parse(text)

    assert "does not count" in caught.value.message
    assert "P-256, P-384 or P-521, RSA of at least 2048 bits, Ed25519" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"", "not a PEM public key"),
        (b"junk", "not a PEM public key"),
        (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a PEM public key"),
        (b"-----BEGIN PUBLIC KEY-----\n", "not a PEM public key"),
        (b" " * 70_000 + P256, "not a PEM public key"),
        (signer("ci").private_pem, "not a PEM public key.*a private key belongs to whoever signs"),
        (rsa_pem(2048, 5).replace(b"MIIB", b"MIIC"), "not a PEM public key"),
        (FOR_PSS_ALONE, "not the plain form of a key"),
        (EXPLICIT_PARAMETERS, "not the plain form of a key"),
        (compressed("p256"), "not the plain form of a key"),
        (pkcs1(rsa.generate_private_key(65537, 2048).public_key()), "not the plain form of a key"),
        (P256 + ED25519, "more than one PEM block"),
        (P256 + signer("ci").private_pem, "more than one PEM block"),
    ],
)
def test_a_file_that_is_not_one_plain_public_key_is_refused(text: bytes, what: str) -> None:
    with pytest.raises(InputError, match=what):
        PublicKey.parse(text)


@pytest.mark.parametrize("point", small_order(), ids=bytes.hex)
def test_an_ed25519_key_of_small_order_is_refused(point: bytes) -> None:
    with pytest.raises(InputError, match="small order"):
        PublicKey.parse(pem(ed25519.Ed25519PublicKey.from_public_bytes(point)))


def test_under_a_key_of_small_order_one_signature_fits_messages_that_nobody_signed() -> None:
    """Why they are refused: the library takes this one for every message."""
    key = ed25519.Ed25519PublicKey.from_public_bytes((1).to_bytes(32, "little"))
    forged = (1).to_bytes(32, "little") + bytes(32)

    key.verify(forged, b"one")
    key.verify(forged, b"another")
    with pytest.raises(InvalidSignature):
        ed25519.Ed25519PrivateKey.generate().public_key().verify(forged, b"one")
