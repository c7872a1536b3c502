"""Seeds around releases: one that nobody may sign, that was read wrongly, or that is of something else."""

from __future__ import annotations

from tests.seeded.patch import seed

_LISTED = "stagepass/release/listed.py"
_MODEL = "stagepass/release/model.py"
_JUDGING = "stagepass/judging_manifests.py"
_GATE = "core/test_manifest_gate.py"
_EVIDENCE = "core/test_manifest_gate_evidence.py"
_SHAPES = "core/test_manifest_gate_shapes.py"
_SOURCES = "core/test_manifest_gate_sources.py"

SEEDS = (
    seed(
        "release-signer-not-checked",
        "CVE-2026-27111",
        "any key of the policy set may sign releases, not only the stage's `release.from`",
        _GATE,
        (
            _LISTED,
            "signers = stage.release.signers if stage.release else ()",
            "signers = policy.attestors",
        ),
    ),
    seed(
        "release-stage-not-compared",
        "CVE-2024-31990",
        "a release of one stage counts in every line that its statement is about",
        "seeded/test_release_found.py",
        (
            _LISTED,
            "if (said.pipeline, said.stage) != (pipeline.name, stage.name):",
            'if "" in (said.pipeline, said.stage):',
        ),
    ),
    seed(
        "release-of-no-image",
        "CVE-2025-25204",
        "a release without an image of the pipeline admits what it holds, and no pass is asked for",
        _GATE,
        (_LISTED, "if not any(map(pipeline.covers, references)):", "if references is None:"),
    ),
    seed(
        "revoked-release",
        "CVE-2024-41666",
        "a release on the revocation list admits",
        _EVIDENCE,
        (_LISTED, "if why := withdrawn(policy, said):", 'if (why := "") != "":'),
    ),
    seed(
        "objects-not-hashed",
        "CVE-2022-47633",
        "whoever holds the objects of a release may change them",
        f"{_SOURCES} release/test_store.py release/test_load.py",
        ("stagepass/release/store.py", "if Digest.of(data) != digest:", "if not data:"),
        (_MODEL, " or Digest.of(data) != statement.objects:", ":"),
        (_MODEL, "if Digest.of(text) != resource.digest:", "if not text:"),
    ),
    seed(
        "object-under-another-name",
        "k8s-manifest-sigstore, masked metadata",
        "a release names one object and holds another",
        "release/test_load.py",
        (_MODEL, "if resource_name(document) != resource.name:", "if not resource_name(document):"),
    ),
    seed(
        "images-not-those-of-the-objects",
        "V01, CVE-2022-35930",
        "a release runs images that it does not name, and that nobody asks about",
        "release/test_load.py",
        (_MODEL, "if images != statement.images:", "if not images and statement.images:"),
    ),
    seed(
        "release-subject-not-compared",
        "CVE-2026-22703",
        "what a release says is believed whatever its signature is about",
        "release/test_load.py",
        (_MODEL, "if digest not in statement.digests:", "if not statement.digests:"),
    ),
    seed(
        "pass-of-another-image-set",
        "CVE-2026-22703",
        "passes of each image count, though their combination was never tested",
        f"{_GATE} policy/test_manifests.py",
        (
            "stagepass/policy/passes.py",
            "not claim.release or claim.release.image_set != attested.image_set",
            "not claim.release",
        ),
    ),
    seed(
        "receipt-of-another-release",
        "CVE-2026-24748",
        "a receipt that one release entered excuses every other",
        f"{_EVIDENCE} policy/test_manifests.py",
        (
            "stagepass/policy/entry.py",
            "            and (case.attested is None or claim.release == case.attested.release)\n",
            "",
        ),
    ),
    seed(
        "approval-of-another-release",
        "CVE-2026-49834",
        "an approval of one release counts for every other",
        f"{_EVIDENCE} policy/test_manifests.py",
        (
            "stagepass/policy/requirements.py",
            "if case.attested is not None and claim.release != case.attested.release:",
            "if case.attested is not None and not claim.release:",
        ),
    ),
    seed(
        "release-key-window",
        "CVE-2026-54787",
        "a release counts after the end of its key",
        _GATE,
        (
            "stagepass/policy/evaluate.py",
            "if claim.until is None or case.entry < claim.until:",
            "if claim.until is None or claim.signer:",
        ),
    ),
    seed(
        "other-images-not-judged",
        "V40, connaisseur 1.3.0",
        "an object enters without what it was released with",
        _GATE,
        (_JUDGING, "return [*own, *others]", "return own"),
    ),
    seed(
        "owner-believed",
        "Portieris, forged ownerReference",
        "a Pod that says a controller made it is compared with no template",
        "seeded/test_release_found.py",
        (
            "stagepass/attested.py",
            "found = self._made.differences(digest, owner)",
            """owned = "ownerReferences" in self.document["metadata"]
            found = [] if owned else self._made.differences(digest, owner)""",
        ),
    ),
    seed(
        "ephemeral-container-of-an-attested-image",
        "CVE-2023-2727",
        "an ephemeral container may run any command of an admitted image",
        _EVIDENCE,
        (_JUDGING, "*(d for f in added for d in case.added(f, required)), ", ""),
    ),
    seed(
        "exempt-excuses-manifests",
        "CVE-2026-84200",
        "an object whose images are exempt needs no release",
        _EVIDENCE,
        (_JUDGING, "return [*own, *(unknown or found)]", "return own or [*(unknown or found)]"),
    ),
    seed(
        "glass-broken-for-a-neighbour",
        "CVE-2026-49834",
        "break-glass for one image of an object excuses what the others were released with",
        _EVIDENCE,
        (_JUDGING, "return bool(mine) and all(", "return bool(mine) and any("),
    ),
    seed(
        "name-alone-is-exempt",
        "V46, CVE-2026-84200",
        "any kind of object under the name of one that a controller writes is exempt",
        _SHAPES,
        (
            _JUDGING,
            "if (about.group, about.kind, about.name) in EXEMPT:",
            "if about.name in {name for _, _, name in EXEMPT}:",
        ),
    ),
    seed(
        "unreadable-line-passes",
        "V14, cosign d104fc40",
        "where the releases of a stage cannot be read, what needs none of its images enters",
        _SOURCES,
        (
            _JUDGING,
            "return [*own, *(unknown or found)]",
            "return [*own, *(each for each in found if each not in unknown)]",
        ),
    ),
    seed(
        "unreadable-line-is-empty",
        "V14, cosign d104fc40",
        "a line that cannot be read is one without releases: denied for good, where nobody knows",
        _SOURCES,
        (
            "stagepass/attested.py",
            "            self.failure = self.failure or error\n\n    def problem",
            "            self._invalid.append(error.message)\n\n    def problem",
        ),
    ),
    seed(
        "same-images-unchanged",
        "V44, CVE-2021-25735",
        "an update that keeps the images is taken for no change, whatever else it changes",
        _SHAPES,
        (
            "stagepass/admission.py",
            "if judging and not unchanged(request.old or {}, request.new or {}):",
            "if judging and request.old is None:",
        ),
    ),
    seed(
        "manifest-cache-by-images",
        "V20, CVE-2026-122321",
        "an object is admitted from the cache when its images are known, whatever it says",
        _SOURCES,
        (
            "stagepass/admission.py",
            "(place, tuple(fields), request.object_id.name, content)",
            "(place, tuple(fields), request.object_id.name)",
        ),
    ),
    seed(
        "cache-without-claim",
        "V20, CVE-2026-122321",
        "an image that one release admitted is admitted to objects of none",
        "core/test_verifier_claims.py",
        ("stagepass/verifier.py", "if claims:  # names", "if not claims:  # names"),
    ),
)
