"""Seeds in which a certificate counts for somebody whom the policy does not name."""

from __future__ import annotations

from tests.seeded.patch import seed

SEEDS = (
    seed(
        "identity-not-anchored",
        "CVE-2026-22772",
        "a subject that only begins as the pattern does is taken for the one it names",
        "keyless/test_identities.py",
        (
            "stagepass/identity.py",
            "            if not reached:\n                return False\n        return parts.ends(reached)",
            (
                "            if not reached or parts.ends(reached):\n"
                "                return parts.ends(reached)\n"
                "        return False"
            ),
        ),
    ),
    seed(
        "issuer-not-compared",
        "CVE-2025-29778",
        "the same subject by any issuer is the one the policy names",
        "keyless/test_identities.py",
        (
            "stagepass/identity.py",
            "if certified.issuer != self.issuer:",
            "if not certified.issuer:",
        ),
    ),
    seed(
        "claims-not-compared",
        "CVE-2025-29778",
        "what the policy asks of a certificate beside its subject is read and never compared",
        "keyless/test_identities.py",
        (
            "stagepass/identity.py",
            "elif not glob.matches(got):",
            "elif not got:",
        ),
    ),
    seed(
        "any-trust-root",
        "CVE-2023-33959",
        "an identity that is bound to one trust root counts under every other",
        "keyless/test_roots.py",
        (
            "stagepass/identity.py",
            "if self.roots is not None and not self.roots & certified.roots:",
            "if self.roots is not None and not certified.roots:",
        ),
    ),
    seed(
        "retired-authority",
        "CVE-2026-24122",
        "an authority or log that the root has retired still vouches for new certificates",
        "keyless/test_roots.py",
        (
            "stagepass/keyless/verify.py",
            "            self._was_relied_on(bundle.signing_certificate, entry)\n",
            "",
        ),
    ),
    seed(
        "trust-root-not-pinned",
        "CVE-2024-23332",
        "a trust root whose file was swapped loads",
        "keyless/test_loading.py",
        (
            "stagepass/policy/build_identities.py",
            "if actual != wanted:",
            "if not wanted:",
        ),
    ),
    seed(
        "payload-type-of-certificates",
        "CVE-2026-39395",
        "what a certificate signed as something else is read as an in-toto statement",
        "keyless/test_refusals.py",
        (
            "stagepass/attestor.py",
            "if bundle.envelope.payload_type != PAYLOAD_TYPE:",
            "if bundle.certificate is None and bundle.envelope.payload_type != PAYLOAD_TYPE:",
        ),
        (
            "stagepass/attestor.py",
            "if opened.payload_type != PAYLOAD_TYPE:",
            "if not opened.payload_type:",
        ),
    ),
    seed(
        "certificate-stands-for-a-key",
        "GHSA-8gw7-4j42-w388",
        "a certificate that names nobody whom the policy names counts for its first identity",
        "keyless/test_refusals.py keyless/test_identities.py",
        (
            "stagepass/attestor.py",
            "next((o for i, o in self.identities if i.matches(certified)), None)",
            "next((o for _, o in self.identities), None)",
        ),
    ),
    seed(
        "two-subjects",
        "CVE-2022-36056",
        "of a certificate with two subjects the first counts",
        "keyless/test_identities.py",
        (
            "stagepass/keyless/holder.py",
            "if len(names) != 1:",
            "if not names:",
        ),
    ),
    seed(
        "issuer-that-cannot-be-read",
        "cryptography 50, `Certificate.issuer` raises",
        "a certificate made by hand breaks the decision, and hides the good evidence beside it",
        "keyless/test_hostile.py",
        (
            "stagepass/keyless/verify.py",
            "        except Exception as error:\n            reason = f\"its certificate's issuer",
            "        except KeyError as error:\n            reason = f\"its certificate's issuer",
        ),
        (
            "stagepass/attestor.py",
            "        except Exception as error:\n            # Whatever",
            "        except KeyError as error:\n            # Whatever",
        ),
    ),
    seed(
        "numbers-beyond-canonical-json",
        "RFC 8785, `rfc8785.IntegerDomainError`",
        "a log index that no canonical JSON can hold breaks the decision",
        "keyless/test_hostile.py",
        (
            "stagepass/tlog.py",
            " or int(text) > _MAX_NUMBER:",
            ":",
        ),
        (
            "stagepass/tlog.py",
            "[1-9]\\d{0,15}",
            "[1-9]\\d{0,18}",
        ),
    ),
    seed(
        "retired-log-under-a-live-id",
        "sigstore-python 4.5.1, `Keyring.verify` tries every key",
        "the key of a retired log vouches for an entry that names a live one",
        "keyless/test_retired_logs.py",
        (
            "stagepass/keyless/verify.py",
            "        found = signers(entry, named)\n",
            "        found = named\n",
        ),
    ),
    seed(
        "time-by-a-retired-log",
        "sigstore-python 4.5.1, `Keyring.verify` tries every key",
        "in the tree of a live log the key of a retired one says when",
        "keyless/test_retired_logs.py",
        (
            "stagepass/tlog.py",
            "    return _promisers(read, found) if read.promise and read.integrated else found\n",
            "    return found\n",
        ),
    ),
    seed(
        "huge-certificates",
        "cryptography 50, names of 60,000 parts",
        "certificates of a megabyte are read, half a second each",
        "keyless/test_hostile.py",
        (
            "stagepass/bundle.py",
            "    if len(der) > _MAX_CERTIFICATE:\n",
            "    if len(der) > MAX_BYTES:\n",
        ),
    ),
    seed(
        "address-in-a-url",
        "B68, names of another kind",
        "a pattern of e-mail addresses takes a URL that ends like one",
        "keyless/test_identities.py core/test_identity.py",
        (
            "stagepass/identity.py",
            "        elif self.kind not in (None, certified.kind):\n",
            "        elif not certified.kind:\n",
        ),
    ),
)
