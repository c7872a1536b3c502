"""
The rules of reading, R1 to R17, each with the tests that prove it; `RULES` has the measured rows too.

What a `REFUSE` names does not count; what an `ACCEPT` names must not keep evidence from counting.
"""

from __future__ import annotations

from tests.core.rule import ACCEPT, REFUSE, Rule, at
from tests.core.rules_measured import MEASURED

READING = (
    Rule(
        "R1",
        "an image that is named by a tag alone",
        REFUSE,
        ACCEPT,
        at("core/test_evaluate_policy.py", "test_a_tag_is_denied_in_every_stage_whatever_is_signed")
        + at("cli/test_attest.py", "test_a_tag_is_never_signed_because_tags_move"),
        reason="cosign resolves it with a warning; the runtime may resolve it to another image later",
    ),
    Rule(
        "R2",
        "a listing over 4 MiB, a manifest or bundle over 1 MiB, a 51st piece, a sixth page, an "
        "encoded or inflatable body: a limit is told, and never taken for nothing found",
        REFUSE,
        ACCEPT,
        at("registry/test_caps.py", "test_a_byte_more_is_a_limit_and_never_nothing_found")
        + at("registry/test_caps.py", "test_as_much_as_may_be_is_read")
        + at("registry/test_client.py", "test_an_answer_of_another_kind_is_refused")
        + at(
            "registry/test_source_limits.py",
            "TestLimits::test_50_are_read_and_the_51st_makes_it_undetermined",
            "TestLimits::test_more_pages_than_five_are_undetermined_after_what_they_list",
        )
        + at("registry/test_listings.py", "test_pages_are_followed_to_the_fifth"),
        judged=("gzip'd layer blob",),
        reason="cosign has no cap and inflates what it reads: whoever writes the registry could "
        "take the gate's memory",
    ),
    Rule(
        "R3",
        "bytes whose SHA-256 is not the digest asked for, or whose length is not the layer's size",
        REFUSE,
        REFUSE,
        at("registry/test_client.py", "test_other_bytes_than_the_digest_names_are_refused")
        + at("registry/test_source.py", "TestJunk::test_junk_hides_nothing_and_is_no_error")
        + at("registry/test_redirects.py", "test_bytes_from_elsewhere_are_hashed_as_well"),
        judged=("manifest: layer size wrong (+1)", "manifest: layer inline data, garbage"),
    ),
    Rule(
        "R4",
        "JSON that two readers could read differently: duplicate keys, NaN, bad UTF-8, a BOM, "
        "trailing bytes, a bundle nested over 32 deep",
        REFUSE,
        REFUSE,
        at(
            "core/test_strictjson.py",
            "test_what_two_readers_could_read_differently_is_not_json",
            "test_a_key_stands_once_in_an_object_however_it_is_escaped",
        )
        + at("core/test_bundle.py", "test_bytes_that_are_not_one_json_object_are_no_bundle")
        + at("core/test_statement.py", "test_bytes_that_are_not_one_json_object_are_no_statement"),
        judged=(
            *("duplicate key in bundle", "duplicate predicateType (other, ours)"),
            *("UTF-8 BOM before bundle", "trailing bytes after bundle", "NaN in predicate"),
        ),
    ),
    Rule(
        "R5",
        "another media type than bundle v0.3 in its two spellings, two contents, two kinds of key "
        "material, a chain of certificates, or a certificate where the policy names keys, and the reverse",
        REFUSE,
        REFUSE,
        at(
            "core/test_bundle.py",
            "test_a_misshapen_bundle_is_a_statement_that_does_not_count",
            "test_a_chain_of_certificates_is_not_read",
            "test_forms_of_the_same_bundle_read_the_same",
        )
        + at(
            "keyless/test_refusals.py",
            "TestKindsOfMaterial::test_a_certificate_where_the_policy_names_keys_alone",
            "TestKindsOfMaterial::test_the_certificate_of_the_very_key_that_the_policy_names",
            "TestKindsOfMaterial::test_a_key_never_counts_for_an_identity",
        ),
        judged=(
            "both publicKey and certificate",
            "both dsseEnvelope and messageSignature",
            "bundle mediaType 'application/vnd.dev.sigstore.bundle.v0.2+json'",
            "bundle mediaType 'application/vnd.dev.sigstore.bundle.v0.4+json'",
        ),
    ),
    Rule(
        "R6",
        "a payload type that is not exactly in-toto's, although it is signed so",
        REFUSE,
        REFUSE,
        at("core/test_attestor.py", "test_another_payload_type_is_refused_although_it_is_signed"),
        judged=("payloadType upper case, signed so", "payloadType absent"),
    ),
    Rule(
        "R7",
        "none or several signatures, one by another hash or padding than the key's own, or over "
        "other bytes than the decoded payload",
        REFUSE,
        REFUSE,
        at("core/test_attestor.py", "test_only_exactly_one_signature_counts")
        + at(
            "core/test_algorithms.py",
            "TestSignatures::test_another_hash_or_padding_is_no_signature",
            "TestSignatures::test_a_key_verifies_nothing_that_another_kind_signed",
        )
        + at("core/test_mutations.py", "test_no_byte_of_the_payload_can_change")
        + at(
            "core/test_cosign.py",
            "test_what_cosign_signs_with_an_ed25519_key_is_refused_by_its_name",
        ),
        judged=("zero signatures", "rsa2048 + SHA-512", "one payload byte changed"),
    ),
    Rule(
        "R8",
        "a signed document whose `_type` is neither Statement v1 nor v0.1",
        REFUSE,
        ACCEPT,
        at(
            "core/test_statement.py",
            "test_what_an_in_toto_reader_could_read_otherwise_is_no_statement",
            "test_a_statement_keeps_the_bytes_that_are_signed",
        )
        + at("core/test_attestor.py", "test_a_signed_text_that_is_no_statement_is_refused_as_such"),
        judged=("_type unknown", "_type absent"),
        reason="another version may give the members another meaning",
    ),
    Rule(
        "R9",
        "a predicate type that is not the wanted one to the letter",
        REFUSE,
        REFUSE,
        at(
            "core/test_evaluate_policy.py",
            "test_an_attestation_counts_by_its_exact_type_and_its_signer",
        )
        + at("core/test_cosign.py", "test_what_cosign_refuses_is_refused"),
        judged=("predicateType other", "predicateType + trailing slash", "predicateType absent"),
    ),
    Rule(
        "R10",
        "no subject with the image's own sha256 in lower case, over 1,024 subjects, or over 32 "
        "digests in one",
        REFUSE,
        REFUSE,
        at("core/test_attestor.py", "test_a_statement_about_another_image_is_a_mismatch")
        + at(
            "core/test_statement.py",
            "test_the_subjects_are_the_sha256_digests_of_all_entries",
            "test_what_an_in_toto_reader_could_read_otherwise_is_no_statement",
        ),
        judged=("subject: only another digest", "33 digests in subject", "subject []"),
    ),
    Rule(
        "R11",
        "a signer that the policy does not name for this type and stage",
        REFUSE,
        None,
        at(
            "core/test_evaluate_passes.py",
            "test_a_pass_counts_only_by_the_signers_of_its_own_stage",
        )
        + at(
            "policy/test_requirements.py",
            "test_a_perfect_statement_by_another_signer_does_not_count",
        )
        + at("policy/test_attacks.py", "test_one_stolen_key_opens_its_own_step_and_no_other"),
    ),
    Rule(
        "R12",
        "a bundle with log entries: under a policy that trusts no log they are not read; of a log "
        "that it trusts, what is of another signature or not in its tree is refused",
        ACCEPT,
        REFUSE,
        at(
            "core/test_unread_proofs.py",
            "test_they_take_nothing_from_a_bundle_that_counts",
            "test_they_replace_neither_the_signature_nor_its_signer",
        )
        + at(
            "keyless/test_tlog.py",
            "test_a_known_log_that_says_something_else_is_a_refusal",
            "test_an_entry_of_a_known_log_that_was_touched_is_a_refusal",
            "test_the_place_in_rekor_v2_is_that_of_its_proof",
        )
        + at(
            "keyless/test_trustedtime.py",
            "test_an_authority_counts_while_its_root_says_so_ends_included",
        ),
        reason="without a trusted log no entry can add anything to a key that the policy names; "
        "cosign drops a bundle with an entry it cannot parse even where it ignores the log, which "
        "lets whoever stores a bundle hide it",
    ),
    Rule(
        "R13",
        "a bundle with time stamps: under a policy that trusts no authority they are not read; else "
        "they say when it was signed, at most 32, each once, at most five minutes ahead of our clock",
        ACCEPT,
        ACCEPT,
        at(
            "core/test_unread_proofs.py",
            "test_they_take_nothing_from_a_bundle_that_counts",
            "test_they_give_a_pass_no_other_time_than_its_own",
        )
        + at(
            "core/test_evaluate_passes.py",
            "test_a_signers_clock_may_be_five_minutes_ahead_and_no_more",
        )
        + at(
            "keyless/test_trustedtime.py",
            "test_a_stamp_of_another_signature_is_a_refusal",
            "test_the_same_proof_twice_is_a_refusal",
            "test_more_than_32_proofs_are_a_refusal",
        )
        + at("keyless/test_tlog.py", "test_a_time_that_its_log_did_not_sign_is_a_refusal")
        + at("policy/test_trusted_times.py", "test_what_was_signed_ahead_of_now_does_not_count"),
        judged=("garbage rfc3161 timestamp present",),
    ),
    Rule(
        "R14",
        "a certificate that no trust root of the policy vouches for at the time, without its SCT or "
        "its usage, or of anybody but whom an identity names: exactly one subject, issuer and claims",
        REFUSE,
        REFUSE,
        at("core/test_attestor.py", "test_certificate_material_has_an_unknown_signer")
        + at(
            "keyless/test_refusals.py",
            "test_what_does_not_verify_is_refused_with_the_reason",
            "TestOtherEntries::test_an_entry_of_another_payload_or_certificate",
            "TestTime::test_a_second_stamp_that_is_backdated_is_looked_at_as_well",
        )
        + at(
            "keyless/test_roots.py",
            "TestValidity::test_a_part_that_was_not_relied_on_when_the_certificate_lived",
            "TestValidity::test_certificate_authorities_that_had_expired_when_it_was_signed",
        )
        + at(
            "keyless/test_identities.py",
            "test_what_looks_alike_does_not",
            "test_the_same_subject_by_another_issuer_does_not",
            "test_a_certificate_that_names_not_exactly_one_counts_for_nobody",
            "TestClaims::test_one_that_is_wrong_or_missing_is_told",
        ),
    ),
    Rule(
        "R15",
        "a predicate whose stage, environment, result, end or soak is not the wanted one (the policy "
        "digest in it is only recorded)",
        REFUSE,
        None,
        at(
            "core/test_evaluate_passes.py",
            "test_a_checked_field_that_is_wrong_makes_the_pass_not_count",
            "test_a_pass_has_expired_at_the_second_it_names",
            "test_a_pass_soaked_when_it_was_watched_for_the_whole_span",
            "test_what_is_only_recorded_never_keeps_a_pass_from_counting",
        ),
    ),
    Rule(
        "R16",
        "what the signed list of revocations names, or everything once that list is too old",
        REFUSE,
        None,
        at(
            "policy/test_revocations.py",
            "test_a_revoked_image_runs_nowhere_whatever_is_signed",
            "test_a_revoked_attestation_does_not_count_and_the_denial_says_why",
            "test_a_revoked_key_kills_everything_it_signed",
            "test_a_list_that_expired_denies_everything_or_warns",
        )
        + at(
            "policy/test_watermark.py", "test_a_revocation_cannot_be_taken_back_with_an_older_list"
        ),
    ),
    Rule(
        "R17",
        "rejected evidence, with the reason for each piece in the denial",
        REFUSE,
        None,
        at("core/test_reasons.py", "test_every_rejected_piece_has_its_reason_in_the_denial")
        + at("cli/test_evidence.py", "TestLs::test_what_does_not_count_says_why"),
    ),
)

RULES = (*READING, *MEASURED)
