"""Seeds in comparing: a live object that passes for what a release says, and is something else."""

from __future__ import annotations

from tests.seeded.patch import seed

_INCLUSION = "k8s-manifest-sigstore, inclusion match"
_WALK = "stagepass/manifests/walk.py"

SEEDS = (
    seed(
        "extra-members-ignored",
        _INCLUSION,
        "an object may say more than the release, such as hostNetwork",
        "manifests/test_compare.py",
        (_WALK, "if known != len(have):", "if known > len(have):"),
    ),
    seed(
        "extra-items-ignored",
        _INCLUSION,
        "a list may have more items than the release, such as a container",
        "manifests/test_compare.py",
        (
            _WALK,
            "for index, right in have[len(want) :]:",
            "for index, right in have[len(have) :]:",
        ),
    ),
    seed(
        "missing-members-ignored",
        "CVE-2023-2431",
        "what a release sets may be missing, such as a securityContext",
        "manifests/test_compare.py",
        (_WALK, "self._removed(frame, name, want)\n        elif", "pass\n        elif"),
    ),
    seed(
        "zero-is-always-none",
        "CVE-2023-2431",
        "a zero value equals an absent one everywhere, not only where the API server drops it",
        "manifests/test_compare.py",
        (
            "stagepass/manifests/fields.py",
            "            self.vanishes\n            and value in _ZEROS",
            "            value in _ZEROS",
        ),
    ),
    seed(
        "true-is-one",
        "V19, CVE-2021-41087",
        "true equals 1, as Python has it",
        "manifests/test_compare.py",
        (
            _WALK,
            "value == other and kind is type(other):",
            "value == other:",
        ),
    ),
    seed(
        "true-is-one-in-lists",
        "V19, CVE-2021-41087",
        "lists are equal as Python has it, so [true] is [1]",
        "manifests/test_compare.py",
        (
            _WALK,
            "        return written == orjson.dumps(right, option=orjson.OPT_SORT_KEYS)\n",
            "        return bool(written)\n",
        ),
    ),
    seed(
        "double-name-added",
        "V16, CVE-2026-44309",
        "an item may be added under the name of one of the release, which it then overrides",
        "manifests/test_allowed.py",
        (_WALK, "_name(each) not in names and each not in taken", "each not in taken"),
    ),
    seed(
        "name-not-compared",
        "k8s-manifest-sigstore, masked metadata",
        "an object passes under another name or in another namespace",
        "manifests/test_compare.py",
        (
            "stagepass/manifests/metadata.py",
            '*("deletionTimestamp", ',
            '*("name", "namespace", "deletionTimestamp", ',
        ),
    ),
    seed(
        "listed-annotation-of-any-form",
        "k8s-manifest-sigstore, ignored fields",
        "what a controller annotates may have any value, on any kind",
        "manifests/test_compare.py",
        (
            "stagepass/manifests/metadata.py",
            "return found is not None and found.fits(kind, value)",
            "return found is not None",
        ),
    ),
    seed(
        "custom-kind-has-defaults",
        "V19, CVE-2021-41087",
        "a custom resource that is called like a built-in kind is given its defaults",
        "seeded/test_release_found.py",
        (
            "stagepass/manifests/table.py",
            "return _tables().get((group, kind))",
            "return {name: each for (_, name), each in _tables().items()}.get(kind)",
        ),
    ),
    seed(
        "quantity-anywhere",
        "V19, CVE-2021-41087",
        "a text that looks like a quantity equals others of its size in every field",
        "manifests/test_compare.py",
        (
            "stagepass/manifests/fields.py",
            "table.is_quantity(path) if table else False",
            "True",
        ),
    ),
    seed(
        "pointer-opens-what-is-above",
        "CVE-2026-84200",
        "a pointer of the allow-list opens everything on the way to what it names",
        "manifests/test_allowed.py",
        ("stagepass/manifests/allowed.py", "return () in opened", "return bool(opened)"),
    ),
    seed(
        "pointer-by-prefix",
        "V31, Gatekeeper k8sallowedrepos",
        "a pointer opens every member whose name only begins like its step",
        "manifests/test_allowed.py",
        (
            "stagepass/manifests/allowed.py",
            "if each and each[0] in (_EACH, name))",
            "if each and (each[0] == _EACH or name.startswith(each[0])))",
        ),
    ),
    seed(
        "pointer-of-any-kind",
        "CVE-2026-84200",
        "a pointer for one kind opens the field in all others",
        "manifests/test_allowed.py",
        ("stagepass/manifests/allowed.py", "if kind in f.kinds and f.pointer)", "if f.pointer)"),
    ),
    seed(
        "opened-template-opens-pods",
        "CVE-2026-84200",
        "who may change a Deployment's template may run any Pod",
        "manifests/test_templates.py",
        (
            "stagepass/manifests/templates.py",
            "pointers += allowed.below(Allowed.of(rule, owner_kind).pointers, path)",
            """owners = Allowed.of(rule, owner_kind).pointers
    pointers += (*allowed.below(owners, path), *owners)""",
        ),
    ),
    seed(
        "allowed-container-by-name",
        "CVE-2026-122321",
        "a container that may be added is known by its repository, whatever its digest",
        "manifests/test_allowed.py",
        (
            "stagepass/manifests/allowed.py",
            "return (reference.name, reference.digest) in self.images",
            "return reference.name in {name for name, _ in self.images}",
        ),
    ),
    seed(
        "allowed-container-runs-anything",
        _INCLUSION,
        "a container that may be added runs any command, or privileged",
        "manifests/test_allowed.py manifests/test_templates.py",
        (
            "stagepass/manifests/allowed.py",
            "not isinstance(image, str) or _runs_its_own(item):",
            "not isinstance(image, str):",
        ),
    ),
    seed(
        "token-volume-by-name",
        _INCLUSION,
        "a volume that is called like the API server's token may hold anything",
        "manifests/test_pod_admission.py",
        (
            "stagepass/manifests/conditional_pods.py",
            '        and _is_exactly(volume["projected"], _TOKEN_VOLUME)\n',
            "",
        ),
    ),
    seed(
        "new-pod-chooses-its-node",
        "CVE-2021-25735",
        "a Pod that is created may name its node, and so pass by every taint",
        "manifests/test_templates.py",
        (_WALK, "not (self.created and place.later) and place.member(", "place.member("),
    ),
    seed(
        "template-of-another-namespace",
        "V50, CVE-2023-22736",
        "a Pod may be of a template in another namespace",
        "manifests/test_templates.py",
        (
            "stagepass/manifests/controllers.py",
            'return bool(members(live.get("metadata")).get("namespace") == wanted)',
            "return bool(wanted)",
        ),
    ),
    seed(
        "salted-value-not-compared",
        "CVE-2026-22703",
        "a Secret may hold any value in place of the one that was salted",
        "manifests/test_secrets.py",
        (
            "stagepass/manifests/secrets.py",
            'return entry["$salted"] == f"sha256:{_digest(spelled(live), entry[\'salt\'])}"',
            'return entry["$salted"].startswith("sha256:")',
        ),
    ),
    seed(
        "secret-value-told",
        "V67, CVE-2023-25163",
        "the denial of a Secret shows its values",
        "manifests/test_secrets.py core/test_manifest_gate_shapes.py",
        (_WALK, "if self.secret and not _is_shown(steps):", 'if steps[0] == "secret":'),
    ),
)
