"""`manifests` and `release` as they are written, and every reason why they refuse to load."""

from __future__ import annotations

from typing import Any

import pytest

from stagepass.policy.load import PolicyError
from stagepass.policy.model import Stage
from stagepass.policy.releases import (
    DEFAULT_KINDS,
    AllowedContainer,
    AllowedField,
    ManifestMode,
    ReleaseRule,
)
from tests.world import DROP, IMAGE, OTHER_DIGEST, policy_set

STAGE = "pipeline.stages.2"
RULE: dict[str, Any] = {"from": ["ci"]}
SCALED = {"kinds": ["apps/Deployment"], "pointer": "/spec/replicas", "reason": "autoscaled"}
SIDECAR = {"container": f"mesh.example.com/proxy@{OTHER_DIGEST}", "reason": "mesh"}


def loaded(rule: Any = RULE, manifests: Any = "required") -> Stage:
    """Production with these members."""
    given = {f"{STAGE}.manifests": manifests, f"{STAGE}.release": rule}
    return policy_set({k: v for k, v in given.items() if v is not DROP}).pipelines[0].stages[2]


def errors(rule: Any = RULE, manifests: Any = "required") -> list[tuple[str, str, str]]:
    with pytest.raises(PolicyError) as caught:
        loaded(rule, manifests)
    return [(e.where, e.message, e.hint) for e in caught.value.errors]


def of_entry(**entry: Any) -> tuple[str, str, str]:
    (error,) = errors({**RULE, "allow": [entry]})
    return error


def test_a_stage_says_whose_releases_its_objects_must_equal() -> None:
    stage = loaded()

    assert stage.manifests is ManifestMode.REQUIRED
    assert stage.release == ReleaseRule(("ci",))
    assert stage.release.kinds == DEFAULT_KINDS
    assert len(DEFAULT_KINDS) == 19


@pytest.mark.parametrize("mode", list(ManifestMode))
def test_the_mode_is_one_of_three_words(mode: ManifestMode) -> None:
    assert loaded(manifests=str(mode)).manifests is mode


def test_without_a_word_manifests_are_off() -> None:
    stage = policy_set().pipelines[0].stages[2]

    assert (stage.manifests, stage.release) == (ManifestMode.OFF, None)
    assert loaded(manifests=DROP).manifests is ManifestMode.OFF


def test_every_member_of_a_release_is_read() -> None:
    written = {
        "from": ["ci", "scanner"],
        "repository": "releases.example.com:5000/shop/releases",
        "kinds": ["apps/Deployment", "ConfigMap", "argoproj.io/Rollout"],
        "secrets": "salted",
        "allow": [
            SCALED,
            {
                "kinds": ["apps/Deployment", "ConfigMap"],
                "pointer": "/metadata/annotations/mesh.example.com~1st~0ate",
                "reason": "mesh",
            },
            SIDECAR,
        ],
    }
    annotation = ("metadata", "annotations", "mesh.example.com/st~ate")
    deployment, config = ("apps", "Deployment"), ("", "ConfigMap")
    container = AllowedContainer(IMAGE.parse(SIDECAR["container"]), "mesh")

    assert loaded(written).release == ReleaseRule(
        signers=("ci", "scanner"),
        repository="releases.example.com:5000/shop/releases",
        kinds=frozenset({deployment, config, ("argoproj.io", "Rollout")}),
        salted=True,
        fields=(
            AllowedField(frozenset({deployment}), ("spec", "replicas"), "autoscaled"),
            AllowedField(frozenset({deployment, config}), annotation, "mesh"),
        ),
        containers=(container,),
    )


def test_the_registry_of_the_releases_may_be_asked() -> None:
    rule = {**RULE, "repository": "releases.example.com:5000/shop/releases"}
    given = {f"{STAGE}.manifests": "required", f"{STAGE}.release": rule}

    assert policy_set(given).hosts() == {"registry.example.com", "releases.example.com:5000"}
    assert policy_set({f"{STAGE}.release": RULE}).hosts() == {"registry.example.com"}


@pytest.mark.parametrize("mode", ["required", "warn"])
def test_manifests_without_a_release_refuse_to_load(mode: str) -> None:
    assert errors(DROP, mode) == [
        (
            "policy.yaml: stages[2].manifests",
            "nothing says whose releases count",
            "add release: {from: [ATTESTOR]}",
        )
    ]


@pytest.mark.parametrize(
    ("manifests", "message", "hint"),
    [
        ("require", "'require' is none of off, warn, required", "did you mean 'required'?"),
        (True, "True is none of off, warn, required", ""),
        (False, "False is none of off, warn, required", ""),
    ],
)
def test_another_mode_refuses_to_load(manifests: Any, message: str, hint: str) -> None:
    assert errors(manifests=manifests) == [("policy.yaml: stages[2].manifests", message, hint)]


AT = "policy.yaml: stages[2].release"
BARE = "like apps/Deployment, or ConfigMap for a core kind"


@pytest.mark.parametrize(
    ("rule", "error"),
    [
        ({}, (AT, "the key 'from' is missing", "")),
        ({"from": ["cii"]}, (f"{AT}.from[0]", "no attestor is called 'cii'", "did you mean 'ci'?")),
        ({**RULE, "kindz": ["Pod"]}, (f"{AT}.kindz", "unknown key", "did you mean 'kinds'?")),
        (
            {**RULE, "kinds": []},
            (f"{AT}.kinds", "the list is empty", "name at least one, or leave the key out"),
        ),
        (
            {**RULE, "secrets": "plain"},
            (f"{AT}.secrets", "'plain' is none of refused, salted", ""),
        ),
        *(
            (
                {**RULE, "repository": text},
                (
                    f"{AT}.repository",
                    f"'{text}' is not a repository of a registry",
                    "like registry.example.com/shop/releases, without tag or digest",
                ),
            )
            for text in (
                "shop/releases",
                "releases",
                "registry.example.com/shop/releases:1",
                f"registry.example.com/shop/releases@{OTHER_DIGEST}",
                "index.docker.io/shop/releases",
            )
        ),
        *(
            ({**RULE, "kinds": [text]}, (f"{AT}.kinds[0]", message, hint))
            for text, message, hint in (
                ("Deployment", "there is no kind 'Deployment'", "did you mean 'apps/Deployment'?"),
                (
                    "apps/Deploymnet",
                    "there is no kind 'apps/Deploymnet'",
                    "did you mean 'apps/Deployment'?",
                ),
                ("app/Deployment", "there is no kind 'app/Deployment'", "did you mean 'apps/Deployment'?"),
                ("configmap", "'configmap' is not a kind", BARE),
                ("apps/v1/Deployment", "'apps/v1/Deployment' names a version", "like apps/Deployment"),
                ("Namespace", "a Namespace has no namespace, so no stage is asked about it", ""),
                ("stagepass.dev/Application", "objects of stagepass.dev are part of no release", ""),
            )
        ),
    ],
)  # fmt: skip
def test_a_release_that_cannot_be_meant_refuses_to_load(rule: Any, error: Any) -> None:
    assert errors(rule) == [error]


@pytest.mark.parametrize(
    ("entry", "error"),
    [
        (
            {"reason": "x"},
            ("", "wants exactly one of pointer, container", "{kinds: [...], pointer: /...}"),
        ),
        (
            {**SCALED, **SIDECAR},
            ("", "wants exactly one of pointer, container", "two entries for two of them"),
        ),
        (
            {"pointer": "/spec/replicas", "reason": "x"},
            ("", "the key 'kinds' is missing", "of which kinds is the pointer?"),
        ),
        (
            {**SIDECAR, "kinds": ["Pod"]},
            (".kinds", "a container is of no kind", "leave kinds out"),
        ),
        ({**SCALED, "reason": ""}, (".reason", "'' is not text", "")),
        (
            {**SCALED, "kinds": ["ServiceAccount"]},
            (
                ".kinds[0]",
                "ServiceAccount is not in scope, so nothing of it is compared",
                "add it to the release's kinds, or leave it out",
            ),
        ),
        (
            {"container": "mesh.example.com/proxy:1", "reason": "x"},
            (
                ".container",
                "'mesh.example.com/proxy:1' has no digest: tags move",
                "write IMAGE@sha256:... instead",
            ),
        ),
    ],
)
def test_an_entry_of_allow_is_a_pointer_of_kinds_or_a_container(entry: Any, error: Any) -> None:
    where, message, hint = error

    assert of_entry(**entry) == (f"{AT}.allow[0]{where}", message, hint)


def test_an_entry_without_a_reason_refuses_to_load() -> None:
    entry = {"kinds": SCALED["kinds"], "pointer": SCALED["pointer"]}

    assert of_entry(**entry)[1] == "the key 'reason' is missing"


@pytest.mark.parametrize("pointer", ["spec/replicas", "/spec//replicas", "/spec/", "/a~2", "/a~"])
def test_what_is_no_pointer_refuses_to_load(pointer: str) -> None:
    where, message, hint = of_entry(**{**SCALED, "pointer": pointer})

    assert (where, bool(hint)) == (f"{AT}.allow[0].pointer", True)
    assert message == f"{pointer!r} is not a JSON pointer"


WHOLE = "a whole member of the object"
IDENTITY = "the object's identity"
AN_IMAGE = "a container's image"


@pytest.mark.parametrize(
    ("kind", "pointer", "what"),
    [
        ("apps/Deployment", "/spec", WHOLE),
        ("ConfigMap", "/data", WHOLE),
        ("ConfigMap", "/*", WHOLE),
        ("apps/Deployment", "/metadata/name", IDENTITY),
        ("apps/Deployment", "/metadata/*", IDENTITY),
        ("apps/Deployment", "/kind/x", IDENTITY),
        ("apps/Deployment", "/spec/template", AN_IMAGE),
        ("apps/Deployment", "/spec/*", AN_IMAGE),
        ("apps/Deployment", "/spec/template/spec", AN_IMAGE),
        ("apps/Deployment", "/spec/template/spec/containers", AN_IMAGE),
        ("apps/Deployment", "/spec/template/spec/*/name=web", AN_IMAGE),
        ("apps/Deployment", "/spec/template/spec/containers/name=web", AN_IMAGE),
        ("apps/Deployment", "/spec/template/spec/containers/0", AN_IMAGE),
        ("apps/Deployment", "/spec/template/spec/initContainers/*/image", AN_IMAGE),
        ("Pod", "/spec/ephemeralContainers", AN_IMAGE),
        ("Pod", "/spec/containers/*/*", AN_IMAGE),
        ("batch/CronJob", "/spec/jobTemplate", AN_IMAGE),
        ("PodTemplate", "/template/spec", AN_IMAGE),
    ],
)
def test_a_pointer_that_gives_up_what_an_object_is_refuses_to_load(
    kind: str, pointer: str, what: str
) -> None:
    assert of_entry(kinds=[kind], pointer=pointer, reason="x") == (
        f"{AT}.allow[0].pointer",
        f"{pointer} of {kind} gives up {what}",
        "name a member further down",
    )


@pytest.mark.parametrize(
    ("kind", "pointer"),
    [
        ("apps/Deployment", "/spec/replicas"),
        ("apps/Deployment", "/spec/template/spec/containers/name=web/resources"),
        ("apps/Deployment", "/spec/template/metadata/annotations/example.com~1restarted-at"),
        ("ConfigMap", "/data/ca.crt"),
        ("batch/CronJob", "/spec/suspend"),
    ],
)
def test_a_pointer_to_one_thing_loads(kind: str, pointer: str) -> None:
    (field,) = loaded(
        {**RULE, "allow": [{"kinds": [kind], "pointer": pointer, "reason": "x"}]}
    ).release.fields  # type: ignore[union-attr]

    assert field.reason == "x"
