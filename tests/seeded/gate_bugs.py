"""Seeds in the gate: objects, caches and policies by which an image passes unjudged."""

from __future__ import annotations

from tests.seeded.patch import seed

SEEDS = (
    seed(
        "digest-not-required",
        "V25, Crossplane signature TOCTOU",
        "an image named by a mutable tag is judged like one named by its digest",
        "core/test_evaluate_policy.py",
        (
            "stagepass/policy/evaluate.py",
            "if stages and image.digest is None:",
            "if not stages and image.digest is None:",
        ),
    ),
    seed(
        "cache-without-digest",
        "CVE-2026-122321",
        "the cache is keyed by the image's name, so a moved tag keeps the old answer",
        "seeded/test_found.py core/test_cache.py",
        (
            "stagepass/verifier.py",
            "key: Hashable = (image.name, image.digest, place)",
            "key: Hashable = (image.name, place)",
        ),
    ),
    seed(
        "cache-without-place",
        "V20, CVE-2026-122321",
        "what one stage admitted is admitted to every other from the cache",
        "core/test_verifier.py core/test_cache.py",
        (
            "stagepass/verifier.py",
            "key: Hashable = (image.name, image.digest, place)",
            "key: Hashable = (image.name, image.digest)",
        ),
    ),
    seed(
        "cache-without-revision",
        "V20, CVE-2025-23208",
        "what an earlier policy set admitted is admitted from the cache after a change",
        "core/test_verifier.py core/test_cache.py",
        ("stagepass/verifier.py", "(key, self.policy.revision)", "key"),
    ),
    seed(
        "object-cache-by-slot",
        "V20, CVE-2026-122321",
        "a whole object is admitted from the cache when its slots are known, whatever they hold",
        "seeded/test_found.py core/test_admission.py",
        (
            "stagepass/admission.py",
            "else (place, tuple(fields))",
            "else (place, tuple(field.slot for field in fields))",
        ),
    ),
    seed(
        "init-containers-forgotten",
        "V40, connaisseur 1.3.0",
        "images of init containers are not judged",
        "core/test_manifest.py",
        ("stagepass/manifest.py", 'LISTS = ("containers", "initContainers", ', "LISTS = ("),
    ),
    seed(
        "ephemeral-containers-forgotten",
        "CVE-2023-2727",
        "images of ephemeral containers are not judged",
        "core/test_manifest.py",
        (
            "stagepass/manifest.py",
            '"initContainers", "ephemeralContainers")',
            '"initContainers")',
        ),
    ),
    seed(
        "image-volumes-forgotten",
        "V42, CVE-2023-2727",
        "images that are mounted as volumes are not judged",
        "core/test_manifest.py",
        (
            "stagepass/manifest.py",
            'for name in (*LISTS, "volumes"):',
            "for name in LISTS:",
        ),
    ),
    seed(
        "unknown-image-fields-pass",
        "CVE-2023-2727",
        "a field of a later Kubernetes that names an image is not looked for",
        "core/test_unknown_images.py property/test_unknown_images.py",
        (
            "stagepass/unknown_images.py",
            'if _may_hold_some(template["spec"]):',
            'if "restoreFrom" in template["spec"]:',
        ),
    ),
    seed(
        "unknown-image-field-unchanged",
        "V44, CVE-2021-25735",
        "an update that adds a field which looks like an image is taken for no change",
        "core/test_unknown_images.py",
        (
            "stagepass/admission.py",
            "before == slots(fields) and old_unknown == unknown",
            "before == slots(fields)",
        ),
    ),
    seed(
        "deletion-timestamp-skips",
        "CVE-2023-34091",
        "an object that carries a deletionTimestamp is not judged",
        "core/test_admission.py",
        (
            "stagepass/admission.py",
            'in ("DELETE", "CONNECT"):',
            'in ("DELETE", "CONNECT") or "deletionTimestamp" in str(request.new):',
        ),
    ),
    seed(
        "old-object-on-create",
        "CVE-2021-25735",
        "an old object that the sender adds to a CREATE excuses the new one",
        "core/test_admission.py core/test_unchanged.py core/test_review.py",
        (
            "stagepass/review.py",
            'if operation == "UPDATE"\n            else None',
            "if operation\n            else None",
        ),
        (
            "stagepass/admission.py",
            'if request.operation == "UPDATE" and _unchanged(',
            "if _unchanged(",
        ),
    ),
    seed(
        "swapped-slots-unchanged",
        "V44, CVE-2021-25735",
        "an update that moves an image into another slot is taken for no change",
        "core/test_unchanged.py core/test_admission.py",
        (
            "stagepass/admission.py",
            "before == slots(fields)",
            "{*before.values()} == {field.image for field in fields}",
        ),
    ),
    seed(
        "empty-object-passes",
        "V28, Kyverno 0b4d37bd87",
        "a workload without a spec has no images, and so none to refuse",
        "core/test_manifest.py core/test_admission.py",
        (
            "stagepass/manifest.py",
            'raise InputError(f"{kind} has no {here}")',
            "continue",
        ),
    ),
    seed(
        "misread-object-passes",
        "CVE-2025-46342",
        "an object that cannot be read is taken for one without images",
        "core/test_admission.py",
        (
            "stagepass/admission.py",
            "return _undetermined(verifier, place, Code.OBJECT_INVALID, str(error))",
            "return _admitted(verifier, place, Code.NO_IMAGES)",
        ),
    ),
    seed(
        "unknown-means-admitted",
        "V14, cosign d104fc40",
        "where evidence cannot be read the answer is yes",
        "core/test_verifier.py",
        (
            "stagepass/verifier.py",
            "return self._undetermined(decision, failures) if failures else decision",
            "return replace(decision, answer=Answer.ADMITTED) if failures else decision",
        ),
    ),
    seed(
        "crash-means-admitted",
        "CVE-2026-44310",
        "an exception while judging lets the object in",
        "seeded/test_found.py",
        (
            "webhook/gate.py",
            'return _undetermined(Code.INTERNAL, "an internal error; the gate\'s log has the trace")',
            "return Decision(Answer.ADMITTED, Enforcement.ENFORCE, ())",
        ),
    ),
    seed(
        "host-inside-the-path",
        "V30, Portieris d3058143",
        "a trusted host that stands in the path of an untrusted one matches",
        "core/test_stage.py",
        (
            "stagepass/stage.py",
            "return image.host == self.host and self._regex.fullmatch(image.repository) is not None",
            'return re.search(f"{re.escape(self.host)}/{self._regex.pattern}", image.name) is not None',
        ),
    ),
    seed(
        "prefix-matches",
        "V31, Gatekeeper k8sallowedrepos",
        "a repository whose name only begins like a listed one matches",
        "core/test_stage.py",
        (
            "stagepass/stage.py",
            "self._regex.fullmatch(image.repository)",
            "self._regex.match(image.repository)",
        ),
    ),
    seed(
        "unknown-policy-keys",
        "CVE-2025-29778",
        "a key that the loader does not know is ignored, and what it should restrict with it",
        "core/test_policy_load.py core/test_policy_errors.py",
        (
            "stagepass/policy/schema.py",
            "for name in (name for name in value if name not in self.fields):",
            "for name in ():",
        ),
    ),
    seed(
        "exemption-by-either",
        "CVE-2026-84200",
        "an exemption holds where its namespaces or its images match, not both",
        "policy/test_exempt.py",
        (
            "stagepass/policy/model.py",
            "            and any(pattern.matches(image) for pattern in self.images)",
            "            or any(pattern.matches(image) for pattern in self.images)",
        ),
    ),
    seed(
        "older-set-accepted",
        "CVE-2024-23332",
        "a policy set older than the one before it is put into force",
        "docs/test_threats.py",
        ("stagepass/policy/watermark.py", "if sequence < marks.get(what, 0):", "if sequence < 0:"),
    ),
)
