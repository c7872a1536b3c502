"""RFC 3161 time stamps over a signature: the only module that imports `rfc3161_client`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from rfc3161_client import TimeStampResponse, Verifier, VerifierBuilder
from rfc3161_client import decode_timestamp_response as decode

from stagepass.decision import Code
from stagepass.errors import AttestationError
from stagepass.trustroot import Authority, Validity


class Authorities:
    """The time stamp authorities of all trust roots, by the certificate that their stamps name."""

    def __init__(self, authorities: Sequence[Authority]) -> None:
        self._by_signer: dict[tuple[x509.Name, int], list[tuple[Validity, Verifier]]] = {}
        for authority in authorities:
            leaf, *between, root = authority.chain
            verifier = VerifierBuilder(
                tsa_certificate=leaf, intermediates=between, roots=[root]
            ).build()
            signer = (leaf.issuer, leaf.serial_number)
            self._by_signer.setdefault(signer, []).append((authority.valid, verifier))

    def time(self, stamp: bytes, signature: bytes) -> datetime | None:
        """
        When an authority saw `signature`; None where it is none of these.

        What cannot be read names none of them either. Raises `AttestationError` for one in the name of
        one of these that is forged, over something else, or of a time at which it was not valid.
        """
        # Beside its own errors the client lets through what its parsers meet: KeyError, InvalidVersion.
        try:
            response = decode(stamp)
            known = self._by_signer.get(_signer(response), [])
        except Exception:
            return None
        if not known:
            return None
        try:
            moment = response.tst_info.gen_time
        except Exception as error:
            raise _invalid("has no readable time") from error
        verifiers = [verifier for valid, verifier in known if valid.covers(moment)]
        if not verifiers:
            raise _invalid("is of a time at which its authority was not valid")
        reason = ""
        for verifier in verifiers:
            try:
                verifier.verify_message(response, signature)
            except Exception as error:
                reason = str(error).partition(": ErrorStack")[0]
            else:
                return moment
        raise _invalid(f"does not verify: {reason}")


def _signer(response: TimeStampResponse) -> tuple[x509.Name, int]:
    """Issuer and serial number of the signer's certificate. Raises `ValueError` for several signers."""
    signers = response.signed_data.signer_infos
    if len(signers) != 1:
        raise ValueError("not exactly one signer")
    (signer,) = signers
    return signer.issuer, signer.serial_number


def _invalid(message: str) -> AttestationError:
    return AttestationError(Code.SIGNATURE_INVALID, f"its time stamp {message}")
