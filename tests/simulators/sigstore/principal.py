"""
From a token's claims to the identity in the certificate, as public Fulcio is configured.

Facts from Fulcio's config/identity/config.yaml; each `{claim}` must be there, or no certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulators.sigstore.fulcio import Identity

__all__ = ["Refused", "identity_of", "possessed"]


class Refused(Exception):
    """The authority gives no certificate for this token; the reason is for the client."""


_HUB, _LAB = "https://github.com", "https://gitlab.com"
_CIRCLE = "https://circleci.com/api/v2"
_CIRCLE_APP = "https://app.circleci.com/"
_DEFINITION = _CIRCLE + "/projects/{project-id}/pipeline-definitions/{pipeline-definition-id}"

_SUBJECTS = {
    "github": _HUB + "/{job_workflow_ref}",
    "gitlab": "https://{ci_config_ref_uri}",
    "circleci": _DEFINITION,
    "buildkite": "https://buildkite.com/{organization_slug}/{pipeline_slug}",
    "kubernetes": "https://kubernetes.io/namespaces/{namespace}/serviceaccounts/{account}",
    "uri": "{sub}",
}
_EXTENSIONS: dict[str, dict[str, str]] = {
    "kubernetes": {},
    "uri": {},
    "github": {
        "github-workflow-trigger": "{event_name}",
        "github-workflow-sha": "{sha}",
        "github-workflow-name": "{workflow}",
        "github-workflow-repository": "{repository}",
        "github-workflow-ref": "{ref}",
        "build-signer-uri": _HUB + "/{job_workflow_ref}",
        "build-signer-digest": "{job_workflow_sha}",
        "runner-environment": "{runner_environment}",
        "source-repository-uri": _HUB + "/{repository}",
        "source-repository-digest": "{sha}",
        "source-repository-ref": "{ref}",
        "source-repository-identifier": "{repository_id}",
        "source-repository-owner-uri": _HUB + "/{repository_owner}",
        "source-repository-owner-identifier": "{repository_owner_id}",
        "build-config-uri": _HUB + "/{workflow_ref}",
        "build-config-digest": "{workflow_sha}",
        "build-trigger": "{event_name}",
        "run-invocation-uri": _HUB + "/{repository}/actions/runs/{run_id}/attempts/{run_attempt}",
        "source-repository-visibility-at-signing": "{repository_visibility}",
        "deployment-environment": "{environment}",
    },
    "gitlab": {
        "build-signer-uri": "https://{ci_config_ref_uri}",
        "build-signer-digest": "{ci_config_sha}",
        "runner-environment": "{runner_environment}",
        "source-repository-uri": _LAB + "/{project_path}",
        "source-repository-digest": "{sha}",
        "source-repository-ref": "refs/{ref_kind}/{ref}",
        "source-repository-identifier": "{project_id}",
        "source-repository-owner-uri": _LAB + "/{namespace_path}",
        "source-repository-owner-identifier": "{namespace_id}",
        "build-config-uri": "https://{ci_config_ref_uri}",
        "build-config-digest": "{ci_config_sha}",
        "build-trigger": "{pipeline_source}",
        "run-invocation-uri": _LAB + "/{project_path}/-/jobs/{job_id}",
        "source-repository-visibility-at-signing": "{project_visibility}",
        "deployment-environment": "{environment}",
    },
    "circleci": {
        "build-config-uri": _CIRCLE + "/pipeline/{pipeline-id}/config",
        "build-signer-uri": _DEFINITION,
        "run-invocation-uri": _CIRCLE_APP + "/workflow/{workflow-id}/job/{job-id}",
        # Not a slip: outside a rerun the configured template yields two quotation marks.
        "runner-environment": "{rerun}",
        "source-repository-ref": "{vcs-ref}",
        "source-repository-uri": "{vcs-origin}",
    },
    "buildkite": {
        "run-invocation-uri": (
            "https://buildkite.com/{organization_slug}/{pipeline_slug}"
            "/builds/{build_number}#{job_id}"
        ),
        "runner-environment": "{runner_environment}",
        "source-repository-digest": "{build_commit}",
        "build-trigger": "{build_source}",
    },
}


def _flat(kind: str, claims: Mapping[str, Any]) -> dict[str, str]:
    """Claims as text, with what the templates derive from them."""
    flat = {name.rpartition("oidc.circleci.com/")[2]: _text(v) for name, v in claims.items()}
    flat.setdefault("environment", "")
    if kind == "gitlab":
        flat["ref_kind"] = "heads" if flat.get("ref_type") == "branch" else "tags"
    if kind == "kubernetes":  # sub: system:serviceaccount:NAMESPACE:NAME
        flat["namespace"], flat["account"] = flat["sub"].split(":")[2:]
    if kind == "circleci":
        flat["rerun"] = "ssh-rerun" if flat.get("ssh-rerun") == "true" else '""'
    return flat


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _person(issuer: str, claims: Mapping[str, Any]) -> Identity:
    if claims.get("email_verified") is not True:
        raise Refused("email_verified claim was false")
    federated = claims.get("federated_claims") or {}
    return Identity(federated.get("connector_id", issuer), str(claims["email"]), kind="email")


def identity_of(kind: str, claims: Mapping[str, Any]) -> Identity:
    """What a certificate for this verified token says; raises `Refused` where a claim is missing."""
    issuer = str(claims["iss"])
    try:
        if kind == "email":
            return _person(issuer, claims)
        flat = _flat(kind, claims)
        subject = _SUBJECTS[kind].format_map(flat)
        written = {name: form.format_map(flat) for name, form in _EXTENSIONS[kind].items()}
    except KeyError as error:
        raise Refused(f"the token has no claim {error}") from error
    present = {name: text for name, text in written.items() if text}
    return Identity(issuer, subject, present, kind="uri")


def possessed(kind: str, claims: Mapping[str, Any]) -> bytes:
    """What a client signs to prove that it has the key: the address of a person, else `sub`."""
    return str(claims["email" if kind == "email" else "sub"]).encode()
