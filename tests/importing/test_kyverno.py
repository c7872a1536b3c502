"""Kyverno: verifyImages and ImageValidatingPolicy."""

from __future__ import annotations

import pytest

from tests.importing.conftest import EXAMPLES, Importer, pem

_RULE, _IMAGE_POLICY = "kyverno-clusterpolicy.yaml", "kyverno-ivp.yaml"
_EVERY = ("--accept", "every-statement")


def _changed(old: str, new: str, example: str = _RULE) -> str:
    text = (EXAMPLES / example).read_text()
    assert old in text
    return text.replace(old, new)


def test_a_rule_with_its_namespace_needs_the_cluster_alone(imported: Importer) -> None:
    done = imported("kyverno", _RULE, options=("--cluster", "prod", *_EVERY))
    (pipeline,) = done.of_kind("Pipeline")
    assert pipeline["images"] == ["registry.example.com/shop/**"]
    (stage,) = pipeline["stages"]
    assert (stage["clusters"], stage["namespaces"]) == (["prod"], ["shop"])
    signature, provenance = (need["attestation"] for need in stage["requires"])
    assert len(signature["from"]) == 2
    assert provenance["where"] == 'predicate.builder.id == "https://ci.example/builder"'
    assert provenance["name"] == "slsa.dev-provenance-v1"
    assert done.load()


def test_a_condition_on_every_statement_is_not_one_on_some(imported: Importer) -> None:
    done = imported("kyverno", _RULE)
    (floor,) = done.of_kind("Baseline")
    assert floor["requires"][1]["attestation"]["where"] == "false"
    path = "spec.rules[0].verifyImages[0].attestations[0].conditions[0]"
    assert path in done.told("not-translated")


def test_what_is_spared_is_told(imported: Importer) -> None:
    told = imported("kyverno", _RULE).told("stricter")
    assert {"spec.rules[0].exclude", "spec.rules[0].verifyImages[0].skipImageReferences"} <= set(
        told
    )


def test_without_an_action_kyverno_only_audits(imported: Importer) -> None:
    text = _changed("  validationFailureAction: Enforce\n", "")
    done = imported("kyverno", text, options=("--cluster", "prod"))
    assert done.of_kind("Pipeline")[0]["stages"][0]["enforcement"] == "audit"


def test_all_entries_are_needed_without_a_count(imported: Importer) -> None:
    done = imported("kyverno", _changed("      - count: 1\n        entries:", "      - entries:"))
    needs = [need["attestation"] for need in done.of_kind("Baseline")[0]["requires"]]
    assert [len(need["from"]) for need in needs] == [1, 1, 1]


def test_a_key_that_needs_a_log_entry_is_left_out(imported: Importer) -> None:
    text = _changed(
        "              ignoreTlog: true\n", "              url: https://rekor.sigstore.dev\n"
    )
    done = imported("kyverno", text)
    (floor,) = done.of_kind("Baseline")
    assert floor["requires"][0]["attestation"]["where"] == "false"
    accepted = imported("kyverno", text, options=("--accept", "transparency-log"))
    assert "where" not in accepted.of_kind("Baseline")[0]["requires"][0]["attestation"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("      mutateDigest: false\n", "      mutateDigest: false\n      type: Notary\n"),
        ("      mutateDigest: false\n", "      mutateDigest: false\n      newField: 1\n"),
        ("        - keys:\n", "        - annotations: {a: b}\n          keys:\n"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_met_by_nothing(imported: Importer, old: str, new: str) -> None:
    attestors = "apiVersion: kyverno.io/v1\n" + (EXAMPLES / _RULE).read_text().partition("\n")[2]
    done = imported("kyverno", _changed(old, new), attestors.replace("verify-shop", "other"))
    changed = done.of_kind("Baseline")[0]
    assert changed["metadata"]["name"] == "verify-shop-signed"
    assert "false" in [need["attestation"].get("where") for need in changed["requires"]]


@pytest.mark.parametrize(
    ("condition", "cel"),
    [
        ("{key: '{{ a.b }}', operator: Equals, value: 3}", "predicate.a.b == 3"),
        ("{key: '{{ ok }}', operator: Equals, value: true}", "predicate.ok == true"),
        ("{key: '{{ n }}', operator: LessThan, value: 7}", "predicate.n < 7"),
        ("{key: '{{ a }}', operator: AnyIn, value: [x, y]}", 'predicate.a in ["x", "y"]'),
        ("{key: '{{ a }}', operator: Equals, value: 'x*'}", "false"),
        ("{key: '{{ a }}', operator: NotEquals, value: x}", "false"),
        ("{key: '{{ a.length(@) }}', operator: Equals, value: 1}", "false"),
        ("{key: '{{ in }}', operator: Equals, value: 1}", "false"),
    ],
)
def test_conditions(imported: Importer, condition: str, cel: str) -> None:
    text = _changed(
        '          - key: "{{ builder.id }}"\n            operator: Equals\n'
        "            value: https://ci.example/builder\n",
        f"          - {condition}\n",
    )
    done = imported("kyverno", text, options=_EVERY)
    assert done.of_kind("Baseline")[0]["requires"][1]["attestation"]["where"] == cel
    assert done.load()


def test_one_of_several_conditions_needs_all_their_members(imported: Importer) -> None:
    text = _changed(
        '        - all:\n          - key: "{{ builder.id }}"\n            operator: Equals\n'
        "            value: https://ci.example/builder\n",
        "        - any:\n          - {key: '{{ a.b }}', operator: Equals, value: x}\n"
        "          - {key: '{{ c }}', operator: Equals, value: y}\n",
    )
    done = imported("kyverno", text, options=_EVERY)
    assert done.of_kind("Baseline")[0]["requires"][1]["attestation"]["where"] == (
        'has(predicate.a.b) && has(predicate.c) && (predicate.a.b == "x" || predicate.c == "y")'
    )


def test_a_keyless_entry(imported: Importer) -> None:
    entry = """\
        - keyless:
            issuer: https://token.actions.githubusercontent.com
            subject: https://github.com/acme/*
            rekor: {url: "https://rekor.sigstore.dev"}
"""
    source = f"""\
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {{name: keyless}}
spec:
  rules:
  - name: signed
    match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}
    verifyImages:
    - imageReferences: ["ghcr.io/acme/*"]
      failureAction: Enforce
      attestors:
      - entries:
{entry}"""
    done = imported("kyverno", source)
    (attestors,) = done.of_kind("Attestors")
    ((identity,),) = [a["identities"] for a in attestors["attestors"].values()]
    assert identity["subject"] == "https://github.com/acme/**"
    assert any("public-good" in error["message"] for error in done.errors)


def test_an_image_validating_policy(imported: Importer) -> None:
    done = imported("kyverno", _IMAGE_POLICY)
    (floor,) = done.of_kind("Baseline")
    needs = [need["attestation"] for need in floor["requires"]]
    assert [need["predicateType"] for need in needs[:2]] == [
        "https://sigstore.dev/cosign/sign/v1", "https://slsa.dev/provenance/v1",
    ]  # fmt: skip
    assert needs[2]["where"] == "false"
    assert "spec.validations[1].expression" in done.told("not-translated")
    assert done.load()


@pytest.mark.parametrize(
    "count", ["e >= 0", "e != 1", "e > 5", "e >= 2", "e == 2", "e == 0", f"e > {'9' * 5000}"]
)
def test_an_expression_that_asks_for_nothing_or_too_much_is_met_by_nothing(
    imported: Importer, count: str
) -> None:
    done = imported("kyverno", _changed("e > 0", count, _IMAGE_POLICY))
    conditions = [n["attestation"].get("where") for n in done.of_kind("Baseline")[0]["requires"]]
    assert set(conditions) == {"false"}


@pytest.mark.parametrize(
    ("listed", "count", "signers"),
    [
        ("ci, qa", "e > 0", [2]),
        ("ci, qa", "e >= 2", [1, 1]),
        ("ci, qa", "e == 2", [1, 1]),
        ("ci, qa", "e == 1", None),  # an image that both signed is refused
        ("ci, ci", "e == 1", None),  # never so: who signs is counted twice
        ("ci, ci", "e == 2", [1]),
        ("ci, ci", "e > 2", None),
        ("ci, ci, qa", "e >= 2", [1, 1]),
    ],
)
def test_how_many_of_the_attestors(
    imported: Importer, listed: str, count: str, signers: list[int] | None
) -> None:
    text = (EXAMPLES / _IMAGE_POLICY).read_text()
    head, attestor, rest = text.partition("  - name: ci\n")
    cosign, attestations, rest = rest.partition("  attestations:\n")
    other = f"  - name: qa\n{cosign}".replace(cosign.split("\n")[4], pem("qa", 10).split("\n")[1])
    other = other.replace(cosign.split("\n")[5], pem("qa", 10).split("\n")[2])
    policy = "".join((head, attestor, cosign, other, attestations, rest))
    before, _, _ = policy.partition("  validations:\n")
    names = ", ".join(f"attestors.{name}" for name in listed.split(", "))
    expression = f"images.containers.map(i, verifyImageSignatures(i, [{names}])).all(e, {count})"
    done = imported("kyverno", f'{before}  validations: [{{expression: "{expression}"}}]\n')
    needs = [need["attestation"] for need in done.of_kind("Baseline")[0]["requires"]]

    if signers is None:
        assert [need["where"] for need in needs] == ["false"]
        assert "spec.validations[0].expression" in done.told("not-translated")
    else:
        assert [len(need["from"]) for need in needs] == signers
        assert done.load()


def test_a_count_that_no_signers_reach_is_met_by_nothing(imported: Importer) -> None:
    done = imported("kyverno", _changed("- count: 1\n", "- count: 3\n"))
    conditions = [n["attestation"].get("where") for n in done.of_kind("Baseline")[0]["requires"]]
    assert "false" in conditions


def test_a_policy_without_rules_is_not_all_translated(imported: Importer) -> None:
    source = (
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {name: x}\nspec: {rules: []}\n"
    )
    done = imported("kyverno", source)
    assert (done.code, list(done.told("not-translated"))) == (1, ["spec"])
