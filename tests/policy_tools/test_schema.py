"""The JSON Schema: it takes whatever loads, and refuses what one document alone shows to be wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from stagepass.cli.main import run
from stagepass.identity import CLAIMS
from stagepass.policy.fields import KINDS
from stagepass.policy.jsonschema import policy_schema
from stagepass.policy.load import PolicyError, load
from stagepass.policy.schema import Mapped, Reader
from tests.policy_tools.full import FULL, files_of, full_documents
from tests.property.worlds import LAW
from tests.repository.sources import ROOT
from tests.world import DROP, POLICY, changed

VALIDATOR = Draft202012Validator(policy_schema())
REVOCATIONS = {
    "apiVersion": "stagepass.dev/v1",
    "kind": "Revocations",
    "file": "revoked.sigstore.json",
    "from": ["ci"],
    "onExpired": "warn",
}
CUSTOM: dict[str, Any] = {
    "apiVersion": "stagepass.dev/v1",
    "kind": "CustomResources",
    "resources": [
        {"group": "argoproj.io", "kind": "Rollout", "podTemplates": ["spec.template"]},
        {"group": "tekton.dev", "kind": "Task", "images": ["spec.steps[*].image"]},
    ],
}
IDENTITIES = {
    "apiVersion": "stagepass.dev/v1",
    "kind": "Attestors",
    "trustRoots": [{"name": "public-good", "file": "trust/root.json", "sha256": "0" * 64}],
    "attestors": {
        "release": {
            "identities": [
                {
                    "issuer": "https://token.actions.githubusercontent.com",
                    "subject": "https://github.com/acme/shop/.github/workflows/*@refs/heads/main",
                    "owner": "ci",
                    "trustRoots": ["public-good"],
                    "claims": dict.fromkeys(CLAIMS, "x*"),
                    "allowWide": "whoever may push there may release",
                    "clusters": ["test"],
                    "validFrom": "2026-01-01T00:00:00Z",
                    "validUntil": "2027-06-01T00:00:00Z",
                }
            ]
        }
    },
}
ROOTS_ALONE = {name: value for name, value in IDENTITIES.items() if name != "attestors"}
_IDENTITY = "attestors.release.identities.0"
MISSHAPEN: list[tuple[str, Any]] = [
    ("trustRoots", []),
    ("trustRoots.0.sha256", DROP),
    ("trustRoots.0.sha256", "0" * 63),
    ("trustRoots.0.sha256", "A" * 64),
    ("trustRoots.0.url", "https://example.com"),
    ("attestors.release", {}),
    ("attestors.release.identities", []),
    (f"{_IDENTITY}.issuer", "token.actions.githubusercontent.com"),
    (f"{_IDENTITY}.issuer", "https://*.example.com"),
    (f"{_IDENTITY}.subject", DROP),
    (f"{_IDENTITY}.subject", "a***"),
    (f"{_IDENTITY}.subject", "a" * 1025),
    (f"{_IDENTITY}.owner", DROP),
    (f"{_IDENTITY}.trustRoots", []),
    (f"{_IDENTITY}.claims", {}),
    (f"{_IDENTITY}.claims.actor", "someone"),
    (f"{_IDENTITY}.claims.ref", ""),
    (f"{_IDENTITY}.subjectRegExp", ".*"),
]
SHIPPED = sorted((ROOT / "policies").glob("**/*.yaml"))
STAGE = "stages.2"
ATTESTATION = f"{STAGE}.requires.0.attestation"
APPROVAL = f"{STAGE}.requires.1.approval"
REFUSED: list[tuple[int, str, Any]] = [
    (0, "apiVersion", "stagepass.dev/v2"),
    (0, "kind", "Attestor"),
    (0, "kind", DROP),
    (0, "attestors", {}),
    (0, "attestors", DROP),
    (0, "attestors.ci", {"keys": []}),
    (0, "attestors.ci.key", []),
    (0, "attestors.ci.keys.0.owner", DROP),
    (0, "attestors.ci.keys.0.file", ""),
    (0, "attestors.ci.keys.0.clusterz", ["a"]),
    (0, "attestors.ci.keys.0.clusters", []),
    (0, "attestors.ci.keys.0.validUntil", "tomorrow"),
    (0, "attestors.ci.keys.0.validUntil", "2027-01-01T00:00:00+01:00"),
    (0, "attestors.ci.keys.0.validFrom", None),
    (1, "metadata", {}),
    (1, "metadata.labels", {}),
    (1, "images", []),
    (1, "images.0", "shop/**"),
    (1, "images.0", "registry.example.com"),
    (1, "images.0", "registry.example.com/**/shop"),
    (1, "images.0", "registry.example.com/sh**"),
    (1, "images.0", "registry.*.com/shop"),
    (1, "images.0", "registry.example.com/Shop"),
    (1, "images.0", "index.docker.io/library/nginx"),
    (1, "images.0", "**"),
    (1, "stages", {}),
    (1, f"{STAGE}.name", 7),
    (1, f"{STAGE}.clusters", []),
    (1, f"{STAGE}.clusters.0", {"uid": "x"}),
    (1, f"{STAGE}.namespaces.0", "Shop"),
    (1, f"{STAGE}.namespaces.0", "-shop"),
    (1, f"{STAGE}.namespaces.0", "x" * 64),
    (1, f"{STAGE}.manifests", "require"),
    (1, f"{STAGE}.release.from", []),
    (1, f"{STAGE}.release.repository", "shop/releases"),
    (1, f"{STAGE}.release.repository", "registry.example.com/shop/releases:1"),
    (1, f"{STAGE}.release.kinds", []),
    (1, f"{STAGE}.release.kinds.0", "apps/v1/Deployment"),
    (1, f"{STAGE}.release.kinds.0", "deployment"),
    (1, f"{STAGE}.release.secrets", "plain"),
    (1, f"{STAGE}.release.allow.0.pointer", "spec/replicas"),
    (1, f"{STAGE}.release.allow.0.pointer", "/spec/~2"),
    (1, f"{STAGE}.release.allow.0.reason", DROP),
    (1, f"{STAGE}.release.allow.1.container", "mesh.example.com/proxy:1"),
    (1, f"{STAGE}.after.0.soak", "1 day"),
    (1, f"{STAGE}.after.0.soak", 24),
    (1, f"{STAGE}.after.0.clusters", "every"),
    (1, f"{STAGE}.after.0.stage", DROP),
    (1, f"{STAGE}.requires.0", {}),
    (1, f"{STAGE}.requires.0", {"attestation": {}}),
    (1, f"{STAGE}.requires.0.approval", {"from": ["ci"]}),
    (1, f"{STAGE}.requires.0", {"statement": {}}),
    (1, f"{ATTESTATION}.predicateType", DROP),
    (1, f"{ATTESTATION}.maxAge", "7 days"),
    (1, f"{APPROVAL}.threshold", 0),
    (1, f"{APPROVAL}.threshold", "2"),
    (1, f"{APPROVAL}.threshold", True),
    (1, f"{STAGE}.windows.0.timezone", DROP),
    (1, f"{STAGE}.breakGlass.maxDuration", DROP),
    (1, f"{STAGE}.enforcement", "enforced"),
    (1, f"{STAGE}.enforcement", True),
    (2, "images", DROP),
    (2, "requires", [{"approval": {"from": ["ci"]}}]),
    (2, "clusters", "test"),
    (3, "unlisted", "dney"),
    (3, "exempt", []),
    (3, "exempt.0.reason", DROP),
    (3, "exempt.0.images.0", "*/**"),
    (3, "exempt.0.allowTags", "yes"),
    (3, "exempt.0.expires", "2027-01-01"),
    (3, "exempted", []),
]
"""(document of the full set, path, value): what `lint` refuses to load, and an editor can underline."""


def takes(document: Any) -> bool:
    return VALIDATOR.is_valid(document)


def loads(documents: list[dict[str, Any]]) -> bool:
    try:
        load(files_of(documents), "")
    except PolicyError:
        return False
    return True


def test_it_is_a_schema_of_draft_2020_12() -> None:
    Draft202012Validator.check_schema(policy_schema())

    assert policy_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_document_that_is_shipped_is_taken(path: Path) -> None:
    documents = list(yaml.safe_load_all(path.read_text()))

    assert documents
    assert [error.message for d in documents for error in VALIDATOR.iter_errors(d)] == []


def test_the_example_of_the_documentation_is_taken() -> None:
    text = (ROOT / "docs" / "policy.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    documents = [d for block in blocks for d in yaml.safe_load_all(block) if "kind" in d]

    assert documents
    assert [error.message for d in documents for error in VALIDATOR.iter_errors(d)] == []


@pytest.mark.parametrize(
    "document",
    [*full_documents(), REVOCATIONS, CUSTOM, IDENTITIES, ROOTS_ALONE, *yaml.safe_load_all(POLICY)],
)
def test_every_field_of_every_kind_is_taken(document: dict[str, Any]) -> None:
    assert takes(document)


def test_the_full_set_has_every_field() -> None:
    """Else the tests above would say less than they seem to."""
    written = set(re.findall(r"[\w.-]+(?=:)", FULL)) | set(REVOCATIONS)
    written |= {name for resource in CUSTOM["resources"] for name in resource} | set(CUSTOM)
    written |= set(re.findall(r'"(\w+)":', json.dumps(IDENTITIES)))
    known = {name for reader in KINDS.values() for name in _names(reader)}

    assert known - written == set()


@pytest.mark.parametrize(("path", "value"), MISSHAPEN)
def test_a_misshapen_identity_is_refused_by_the_schema_and_by_the_loader(
    path: str, value: Any
) -> None:
    document = changed(IDENTITIES, {path: value})

    assert not takes(document)
    new = problems_of(document) - problems_of(IDENTITIES)
    here = re.sub(r"\.(\d+)", r"[\1]", path)
    assert any(where in here or here in where for where, _ in new)


def problems_of(document: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(PolicyError) as caught:
        load({"a.yaml": json.dumps(document).encode()}, "")
    errors = caught.value.errors
    return {(e.where.removeprefix("a.yaml: "), e.message) for e in errors}


def _names(reader: Reader) -> set[str]:
    found = set(reader.fields) if isinstance(reader, Mapped) else set()
    parts = [getattr(reader, name, None) for name in ("item", "long")]
    parts += [field.read for field in getattr(reader, "fields", {}).values()]
    parts += list(getattr(reader, "kinds", {}).values())
    return found.union(*(_names(part) for part in parts if part is not None))


@pytest.mark.parametrize(("index", "path", "value"), REFUSED)
def test_what_does_not_load_is_refused_where_a_document_alone_shows_it(
    index: int, path: str, value: Any
) -> None:
    documents = full_documents()
    documents[index] = changed(documents[index], {path: value})

    assert not loads(documents)
    assert not takes(documents[index])


@pytest.mark.parametrize("document", [None, [], "kind", 7, {"kind": 7}, {"kind": ["Defaults"]}])
def test_what_is_no_document_is_refused(document: Any) -> None:
    assert not takes(document)


VALUES = st.sampled_from(
    [
        *(None, True, 0, 1, 2, 1.5, "", "x", "shop", [], ["shop"], {}, {"name": "x"}),
        *("7d", "1d12h", "2027-01-01T00:00:00.5Z", "*", "a*b", "predicate.x", "any", "warn", "**"),
        *("registry.example.com/a*/**", "docker.io/library/x", "localhost/x", "[::1]:5000/x"),
    ]
)


def _paths(node: Any, path: str = "") -> Iterator[str]:
    for name, child in node.items() if isinstance(node, dict) else enumerate(node):
        yield f"{path}{name}"
        if isinstance(child, (dict, list)):
            yield from _paths(child, f"{path}{name}.")


@LAW
@given(st.data())
def test_whatever_loads_is_taken(data: st.DataObject) -> None:
    """An editor never underlines what the gate would load."""
    documents = full_documents()
    index = data.draw(st.integers(0, 3))
    path = data.draw(st.sampled_from(list(_paths(documents[index]))))
    documents[index] = changed(documents[index], {path: data.draw(VALUES | st.just(DROP))})

    if loads(documents):
        assert takes(documents[index])


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0
    assert json.loads(capsys.readouterr().out) == policy_schema()


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("stages.items.properties.enforcement", "enforce"),
        ("stages.items.properties.after.items.anyOf.1.properties.clusters", "all"),
        ("stages.items.properties.breakGlass.properties.threshold", 1),
        ("stages.items.properties.requires.items.properties.approval.properties.maxAge", "30d"),
    ],
)
def test_defaults_are_told_as_an_author_would_write_them(path: str, default: object) -> None:
    node: Any = next(s for s in policy_schema()["oneOf"] if s["title"] == "Pipeline")["properties"]
    for step in path.split("."):
        node = node[int(step)] if isinstance(node, list) else node[step]

    assert node["default"] == default
