"""The rows that were measured with cosign 3.1.3, one verdict each: A by a bundle, L by the `.att` layout."""

from __future__ import annotations

from tests.core.rule import ACCEPT, REFUSE, Rule, at

ACCEPTED = at("core/test_cosign.py", "test_what_cosign_accepts_is_accepted")
REFUSED = at("core/test_cosign.py", "test_what_cosign_refuses_is_refused")
STRICTER = at("core/test_cosign.py", "test_we_are_stricter_than_cosign_on_purpose_and_nowhere_else")
LOOSER = at("core/test_cosign.py", "test_we_accept_what_cosign_refuses_on_purpose_and_nowhere_else")
RIGHT = at("core/test_algorithms.py", "TestSignatures::test_the_one_signature_of_its_kind_counts")
WRONG = at(
    "core/test_algorithms.py", "TestSignatures::test_another_hash_or_padding_is_no_signature"
)
STATEMENT = at(
    "core/test_statement.py", "test_what_an_in_toto_reader_could_read_otherwise_is_no_statement"
)
SUBJECTS = at("core/test_statement.py", "test_the_subjects_are_the_sha256_digests_of_all_entries")
SHAPE = at("core/test_bundle.py", "test_a_misshapen_bundle_is_a_statement_that_does_not_count")
IN_TAG = at(
    "registry/test_judged_manifests.py",
    "test_what_a_tag_lists_counts_as_cosign_says_but_for_another_images",
)
IN_API = at(
    "registry/test_judged_manifests.py",
    "test_what_the_api_lists_counts_as_cosign_says_but_for_what_claims_to_be_no_bundle",
)
LEGACY = "registry/test_legacy.py"
ANNOTATIONS = at(
    "registry/test_legacy_annotations.py", "test_no_annotation_keeps_an_envelope_from_counting"
)
OWN_HASH = "one hash per key, the one that cosign itself signs with"

_SIGNATURES = (
    Rule(
        "A01",
        "ECDSA P-256 with SHA-256 over Statement v1 or v0.1",
        *(ACCEPT, ACCEPT, ACCEPTED + RIGHT),
        judged=("baseline v1", "statement v0.1"),
    ),
    Rule(
        "A02",
        "P-384 with SHA-384",
        *(ACCEPT, REFUSE, LOOSER + RIGHT),
        judged=("p384 + SHA-384",),
        reason=f"{OWN_HASH}, and refuses without a deprecated flag",
    ),
    Rule(
        "A03",
        "P-384 or P-521 with SHA-256",
        *(REFUSE, ACCEPT, STRICTER + WRONG),
        judged=("p384 + SHA-256", "p521 + SHA-256"),
        reason=f"{OWN_HASH}: SHA-384, SHA-512",
    ),
    Rule(
        "A04",
        "P-521 with SHA-512",
        *(ACCEPT, REFUSE, LOOSER + RIGHT),
        judged=("p521 + SHA-512",),
        reason=f"{OWN_HASH}, and refuses without a deprecated flag",
    ),
    Rule("A05", "P-256 with SHA-384", REFUSE, REFUSE, REFUSED + WRONG, ("p256 + SHA-384",)),
    Rule("A06", "pure Ed25519", ACCEPT, ACCEPT, ACCEPTED + RIGHT, ("ed25519 (pure)",)),
    Rule(
        "A07",
        "RSA of 2048 or 4096 bits, PKCS#1 v1.5 with SHA-256",
        *(ACCEPT, ACCEPT, ACCEPTED + RIGHT),
        judged=("rsa2048 + SHA-256", "rsa4096 + SHA-256"),
    ),
    Rule("A08", "RSA-PSS", REFUSE, REFUSE, REFUSED + WRONG, ("rsa2048 PSS-SHA256",)),
)

_BUNDLES = (
    Rule(
        "A09",
        "a key hint that is empty, arbitrary, another key's or absent",
        *(ACCEPT, ACCEPT),
        ACCEPTED
        + at(
            "core/test_attestor.py",
            "test_a_hint_is_signed_by_nobody_so_a_wrong_one_hides_nothing",
        ),
        judged=(
            *("hint empty string", "publicKey {} (hint absent)"),
            *("hint arbitrary text", "hint of another key"),
        ),
    ),
    Rule(
        "A10",
        "no verification material",
        *(REFUSE, REFUSE, REFUSED + SHAPE),
        judged=("verificationMaterial {}", "verificationMaterial absent"),
    ),
    Rule(
        "A11",
        "a manifest without annotations",
        *(ACCEPT, ACCEPT, IN_TAG + IN_API),
        judged=("manifest: no annotations",),
    ),
    Rule(
        "A12",
        "a manifest of another artifactType that the tag lists without one",
        *(ACCEPT, ACCEPT, IN_TAG),
        judged=("manifest: artifactType other",),
    ),
    Rule(
        "A13",
        "a manifest that the referrers API lists with another artifactType",
        *(REFUSE, ACCEPT),
        IN_API + at("registry/test_source.py", "TestJunk::test_an_sbom_is_not_even_read"),
        judged=("manifest: artifactType other",),
        reason="the list says that it is no bundle: a stranger's SBOM costs no request",
    ),
    Rule(
        "A14",
        "a layer of type application/octet-stream",
        *(REFUSE, REFUSE, IN_TAG + IN_API),
        judged=("manifest: layer mediaType application/octet-stream",),
    ),
    Rule(
        "A15",
        "a manifest without a subject that the tag lists",
        *(ACCEPT, ACCEPT),
        IN_TAG
        + at(
            "registry/test_source.py",
            "TestJunk::test_a_manifest_without_subject_counts_where_it_is_listed",
        ),
        judged=("manifest: subject absent (but in fallback index)",),
    ),
    Rule(
        "A16",
        "two signatures in an envelope, in either order",
        *(REFUSE, REFUSE),
        REFUSED + at("core/test_attestor.py", "test_only_exactly_one_signature_counts"),
        judged=("two signatures (ours, other)", "two signatures (other, ours)"),
    ),
    Rule(
        "A17",
        "a keyid that is neither empty nor the key's OpenSSH fingerprint",
        *(REFUSE, REFUSE),
        REFUSED
        + at("core/test_attestor.py", "test_a_keyid_is_empty_or_the_fingerprint_of_the_key_itself"),
        judged=("keyid = hint", "keyid = hex sha256 SPKI"),
    ),
    Rule(
        "A18",
        "the payload type application/json, signed as such",
        *(REFUSE, REFUSE),
        REFUSED
        + at("core/test_attestor.py", "test_another_payload_type_is_refused_although_it_is_signed"),
        judged=("payloadType application/json, signed so",),
    ),
    Rule(
        "A19",
        "a payload type that was exchanged after signing",
        *(REFUSE, REFUSE),
        REFUSED + at("core/test_mutations.py", "test_no_member_can_be_replaced_but_the_hint"),
        judged=("payloadType swapped, not re-signed",),
    ),
    Rule(
        "A20",
        "a payload in URL-safe base64",
        *(ACCEPT, ACCEPT),
        ACCEPTED + at("core/test_bundle.py", "test_forms_of_the_same_bundle_read_the_same"),
        judged=("payload base64 URL-safe (contains - or _)", "sig base64 URL-safe"),
    ),
    Rule(
        "A28",
        "an unknown member anywhere in the bundle",
        *(REFUSE, REFUSE),
        REFUSED
        + at("core/test_mutations.py", "test_no_member_can_be_added_where_nothing_signs_it"),
        judged=(
            *("unknown field, bundle top", "unknown field, envelope"),
            *("unknown field, signature (cert)", "unknown field, verificationMaterial"),
        ),
    ),
)

_STATEMENTS = (
    Rule(
        "A21",
        "a subject without a name",
        *(ACCEPT, ACCEPT, ACCEPTED + SUBJECTS),
        judged=("subject name absent", "subject name ''"),
    ),
    Rule(
        "A22",
        "a statement of which the second subject is the image",
        *(ACCEPT, ACCEPT),
        ACCEPTED + at("core/test_attestor.py", "test_a_second_subject_that_matches_is_enough"),
        judged=("subject: other first, ours second",),
    ),
    Rule(
        "A23",
        "a subject with a gitCommit digest beside the sha256, or a further one with nothing else",
        *(ACCEPT, ACCEPT, ACCEPTED + SUBJECTS),
        judged=("subject: extra digest gitCommit", "subject: extra git-only subject"),
    ),
    Rule(
        "A24",
        "a subject's sha256 in upper case",
        *(REFUSE, REFUSE, REFUSED + STATEMENT),
        judged=("subject sha256 in upper case",),
    ),
    Rule(
        "A25",
        "no predicate",
        *(ACCEPT, ACCEPT),
        ACCEPTED + at("core/test_statement.py", "test_a_predicate_may_be_absent_null_or_empty"),
        judged=("predicate absent", "predicate null"),
    ),
    Rule(
        "A26",
        "an unknown `_type`",
        *(REFUSE, ACCEPT, STRICTER + STATEMENT),
        judged=("_type unknown", "_type absent"),
        reason="another statement version may give its members another meaning",
    ),
    Rule(
        "A27",
        "an unknown member at the top of the statement",
        *(REFUSE, REFUSE, REFUSED + STATEMENT),
        judged=("unknown statement member",),
    ),
)

_LEGACY = (
    Rule(
        "L1",
        "an envelope in a layer with the empty signature annotation, as cosign writes it",
        *(ACCEPT, ACCEPT),
        at(
            LEGACY,
            "TestOneEnvelope::test_what_cosign_wrote_counts",
            "TestReading::test_it_is_read_last_with_a_request_for_each",
        ),
    ),
    Rule(
        "L2",
        "an envelope in a layer without that annotation",
        *(ACCEPT, REFUSE, ANNOTATIONS),
        reason="it is empty and signed by nobody: without it the envelope says the same",
    ),
    Rule(
        "L3",
        "an envelope in a layer of another media type",
        *(REFUSE, ACCEPT),
        at(LEGACY, "TestReading::test_other_layers_and_junk_hide_nothing"),
        reason="its type is what tells an envelope from any other layer, before a request is spent",
    ),
    Rule(
        "L4",
        "an envelope whose log annotation is junk, or is about another envelope",
        *(ACCEPT, REFUSE, ANNOTATIONS),
        reason="no log is trusted, so none is read: whoever tags a layer could else hide it",
    ),
)

MEASURED = (*_SIGNATURES, *_BUNDLES, *_STATEMENTS, *_LEGACY)
