"""Section D of the catalogue: attacks on evidence and policy."""

from __future__ import annotations

from tests.vectors import inputs
from tests.vectors.bench import now, pass_of_test
from tests.vectors.images import ADMITTED, MISSING, TAG, UNLISTED
from tests.vectors.policies import TAMPERED
from tests.vectors.row import Case, Door, Row, objects, registry
from tests.webhook.shop import HOST
from tests.world import DAY, HOUR

_TEST = pass_of_test
_KEYLESS = "keyless identities are not read yet"
_PRIVATE = ("169.254.169.254/x", "kubernetes.default.svc/x", "reg.internal:22/x", "127.0.0.1:1/x")

ROWS = (
    Row(
        "B52",
        "an older version that was good once",
        (
            *objects("denied REVOKED", on_the_list=inputs.revoked),
            *objects(
                "denied STALE",
                over_maxAge=inputs.about(
                    _TEST, inputs.staging(at=now() - 31 * DAY, valid_for=90 * DAY)
                ),
            ),
            *objects(
                "denied EXPIRED",
                expired=inputs.about(_TEST, inputs.staging(at=now() - 2 * HOUR, valid_for=HOUR)),
            ),
        ),
        "a floor and signed rollback records do not exist",
    ),
    Row(
        "B53",
        "replay across stages",
        (
            *objects(MISSING, pass_of_test_only=inputs.about(_TEST)),
            *objects(
                "denied PASS_MISSING SIGNER_UNKNOWN",
                staging_by_the_key_of_test=inputs.about(_TEST, inputs.staging(by="test-cluster")),
            ),
            *objects(
                "denied PASS_MISSING SIGNATURE_INVALID", edited=inputs.about(_TEST, inputs.edited)
            ),
        ),
    ),
    Row(
        "B54",
        "replay across repositories and clusters",
        (
            *objects(ADMITTED, another_repository=inputs.moved),
            *objects(
                MISSING,
                of_another_cluster=inputs.about(
                    _TEST, inputs.staging(cluster="test", by="staging-cluster")
                ),
            ),
        ),
        "a pass is for a digest: the same bytes elsewhere are the same image",
    ),
    Row(
        "B55",
        "evidence deleted or hidden",
        (
            *registry(ADMITTED, tag_scheme_only=inputs.hidden(as_tag=True)),
            *registry(
                MISSING, deleted=inputs.hidden(0), no_referrers_API=inputs.hidden(referrers=False)
            ),
            *registry(
                inputs.UNKNOWN,
                refused_500=inputs.hidden(status=500),
                forbidden_403=inputs.hidden(status=403),
                second_page_missing=inputs.hidden(page_size=1, path_status={"start=": 500}),
            ),
            *objects("denied REVOKED", revoked_though_proven=inputs.revoked),
        ),
    ),
    Row(
        "B56",
        "evidence flooding",
        (
            *registry(f"{inputs.LIMIT} STATEMENT_INVALID", junk_100=inputs.flooded(100)),
            *registry(inputs.LIMIT, junk_10000=inputs.flooded(10_000)),
            *objects(f"{inputs.LIMIT} STATEMENT_INVALID", directory_of_62=inputs.flooded_directory),
        ),
    ),
    Row(
        "B57",
        "signature stripped, format downgraded",
        (
            *objects(
                "denied PASS_MISSING STATEMENT_INVALID",
                no_signature=inputs.about(_TEST, inputs.altered(inputs.unsigned)),
                unknown_media_type=inputs.about(
                    _TEST, inputs.altered(lambda b: b.update(mediaType="x/y"))
                ),
                legacy_simple_signing=inputs.about(_TEST, inputs.legacy),
            ),
        ),
        "a policy that wants a log's proof comes with keyless identities",
    ),
    Row(
        "B58",
        "time",
        (
            *objects(
                "denied FUTURE",
                ahead_by_a_day=inputs.about(_TEST, inputs.staging(at=now() + DAY)),
            ),
            *objects(
                ADMITTED,
                ahead_by_a_minute=inputs.about(_TEST, inputs.staging(at=now() + HOUR / 60)),
            ),
            *objects(
                "denied PASS_MISSING SIGNER_UNKNOWN",
                by_a_key_that_ended=inputs.about(_TEST, inputs.staging(by="retired")),
            ),
        ),
        "times of certificates and logs come with keyless identities",
    ),
    Row("B59", "policy tampered with", TAMPERED),
    Row(
        "B60",
        "attested image, hostile manifest",
        objects(ADMITTED, hostile=inputs.hostile),
        "by design without manifest attestations, which come with signed releases",
    ),
    Row(
        "B61",
        "webhook as a proxy",
        tuple(
            Case(name, Door.WEBHOOK, inputs.silent(f"{name}@{{U}}"), f"{UNLISTED}, 0 requests")
            for name in _PRIVATE
        ),
    ),
    Row(
        "B62",
        "pull secret for the taking",
        (
            Case(
                "at the attacker's host",
                Door.WEBHOOK,
                inputs.silent("evil.io/x@{U}", imagePullSecrets=[{"name": "victim"}]),
                f"{UNLISTED}, 0 requests",
            ),
            Case("at ours", Door.WEBHOOK, inputs.secrets, f"{MISSING}, 0 with credentials"),
        ),
    ),
    Row(
        "B63",
        "break-glass misused",
        (
            *objects(
                MISSING,
                annotation_and_label=inputs.annotated,
                of_another_digest=inputs.glass_of_another,
                in_another_namespace=inputs.glass(changes={"scope.namespaces": ["other"]}),
                in_another_cluster=inputs.glass(changes={"scope.clusters": ["other"]}),
                of_another_stage=inputs.glass(changes={"scope.stage": "staging"}),
                expired=inputs.glass(issued=-2 * HOUR),
                over_maxDuration=inputs.glass(valid_for=5 * HOUR),
                by_a_stranger=inputs.glass(by="stranger"),
                without_a_reason=inputs.glass(changes={"reason": ""}),
            ),
            *objects(inputs.GLASS, valid=inputs.glass()),
        ),
        "whether the signer is the author of the change is not known",
    ),
    Row(
        "B64",
        "poisoned cache of a node",
        (
            *objects(ADMITTED, digest=inputs.policy(f"{HOST}/shop/web@{{D}}", "Never")),
            *objects(TAG, tag=inputs.policy(f"{HOST}/shop/web:1", "IfNotPresent")),
        ),
    ),
    Row(
        "B65",
        "restart pulls a moved tag",
        (Case("stagepass scan", Door.CLI, inputs.scanned, "exits 1, DIGEST_REQUIRED"),),
    ),
    Row(
        "B66",
        "registry compromised",
        registry(
            inputs.UNKNOWN,
            digests_lie=inputs.hidden(lie=True),
            bodies_break_off=inputs.hidden(truncate=True),
            login_page=inputs.other_body(b"<html>log in</html>", "text/html"),
            gzip_in_place_of_a_listing=inputs.other_body(
                b"\x1f\x8b" + bytes(1000), "application/gzip"
            ),
        ),
    ),
    Row("B67", "root of trust downgraded", note=f"{_KEYLESS}, so there is no trusted_root"),
    Row("B68", "identity almost right", note=_KEYLESS),
)
