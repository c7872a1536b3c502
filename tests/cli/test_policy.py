from __future__ import annotations

from pathlib import Path

import pytest

from stagepass.clock import format_time
from tests.cli.conftest import Result, Shop
from tests.world import DAY, NOW, write_policy

NOW_IS = ("--now", format_time(NOW))


def lint(shop: Shop, *options: str) -> Result:
    return shop.run("policy", "lint", str(shop.policy), *NOW_IS, *options)


def test_a_clean_set_exits_0_with_its_revision(shop: Shop) -> None:
    result = lint(shop, "--output", "json")

    assert result.code == 0
    assert result.line["findings"] == result.line["errors"] == []
    assert result.line["revision"] == shop.verify("test").line["policyRevision"]


def test_the_text_of_a_clean_set_says_what_was_looked_at(shop: Shop) -> None:
    result = lint(shop)

    assert result.out == "1 pipelines, 3 stages, 5 attestors: 0 findings\n"


def test_findings_exit_1_each_with_its_rule_and_place(shop: Shop) -> None:
    write_policy(shop.policy, {"pipeline.stages.1.signedBy": ["staging-cluster", "test-cluster"]})
    as_json = lint(shop, "--output", "json")
    as_text = lint(shop)

    assert (as_json.code, as_text.code) == (1, 1)
    (finding,) = as_json.line["findings"]
    assert (finding["rule"], finding["where"]) == ("separation-of-duties", "shop: test, staging")
    assert as_text.out.startswith("separation-of-duties shop: test, staging: test-cluster may")


def test_what_is_over_depends_on_the_time(shop: Shop) -> None:
    """A key of the shop ends with the year: a fortnight before, the set is no longer clean."""
    later = format_time(NOW + 30 * DAY)
    result = lint(shop, "--now", later, "--output", "json")

    assert lint(shop).code == 0
    assert result.code == 1
    assert [finding["rule"] for finding in result.line["findings"]] == ["expiring-key"]


def test_help_lists_what_other_modules_add(shop: Shop) -> None:
    told = shop.run("policy", "--help").out

    for command in ("diff", "lint", "schema", "sign", "test"):
        assert f"\n  {command} " in told
    assert shop.run("policy", "nonsense").code == 64


def test_a_finding_never_stops_a_decision(shop: Shop) -> None:
    write_policy(shop.policy, {"attestors.prod-clusters.keys.0.clusters": ["prod-eu", "prod-us"]})
    shop.prove()

    assert lint(shop).code == 1
    assert shop.verify("production").code == 0


def test_a_set_that_does_not_load_exits_64_with_every_error(shop: Shop) -> None:
    write_policy(shop.policy, {"pipeline.stages.1.afer": [], "defaults.unlisted": "dney"})
    (shop.policy / "more.yaml").write_text("kind: Nonsense\n")
    as_json = lint(shop, "--output", "json")
    as_text = lint(shop)

    assert (as_json.code, as_text.code) == (64, 64)
    assert as_json.line["revision"] is None
    assert [error["where"] for error in as_json.line["errors"]] == [
        *("more.yaml", "policy.yaml: stages[1].afer", "policy.yaml: unlisted")
    ]
    assert {"where", "message", "hint"} == as_json.line["errors"][0].keys()
    assert as_text.out == ""
    assert as_text.err.count("error: ") == 3
    assert "the set does not load: 3 errors" in as_text.err


def test_a_directory_that_is_not_there_exits_64(shop: Shop) -> None:
    assert shop.run("policy", "lint", str(shop.root / "absent")).code == 64
    assert shop.run("policy", "lint").code == 64
    assert shop.run("policy").code == 64


def test_an_empty_directory_is_no_policy(shop: Shop) -> None:
    empty = shop.root / "empty"
    empty.mkdir()
    result = shop.run("policy", "lint", str(empty))

    assert result.code == 64
    assert "0 documents of kind Defaults" in result.err


WEBHOOK = """\
kind: ValidatingWebhookConfiguration
webhooks:
  - rules:
      - {operations: [CREATE, UPDATE], apiGroups: [""], apiVersions: ["*"], resources: [%s]}
"""
SCOPED = {
    "pipeline.stages.0.manifests": "required",
    "pipeline.stages.0.release": {"from": ["ci"], "kinds": ["ConfigMap", "Service"]},
}


@pytest.mark.parametrize(
    ("resources", "missing"),
    [
        ("configmaps, services", []),
        ("configmaps", ["services"]),
        ("pods", ["configmaps", "services"]),
    ],
)
def test_lint_names_the_kinds_that_the_api_server_asks_nobody_about(
    shop: Shop, tmp_path: Path, resources: str, missing: list[str]
) -> None:
    write_policy(shop.policy, SCOPED)
    (tmp_path / "webhook.yaml").write_text(WEBHOOK % resources)
    options = ["--now", format_time(NOW), "--output", "json"]
    result = shop.run(
        "policy", "lint", str(shop.policy), "--webhook", str(tmp_path / "webhook.yaml"), *options
    )
    found = [f["message"].split()[8] for f in result.line["findings"]]

    assert (result.code, found) == (1 if missing else 0, missing)


@pytest.mark.parametrize("text", [None, "", "kind: Pod\n", "a: [\n", "kind: &a X\n"])
def test_lint_refuses_a_file_that_is_no_webhook_configuration(
    shop: Shop, tmp_path: Path, text: str | None
) -> None:
    path = tmp_path / "webhook.yaml"
    if text is not None:
        path.write_text(text)
    result = shop.run("policy", "lint", str(shop.policy), "--webhook", str(path))

    assert result.code == 64
    assert str(path) in result.err
