"""The claims that CI systems put into their tokens, beside `iss`, `aud`, `iat`, `nbf` and `exp`."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

__all__ = ["CLAIMS", "ISSUERS", "buildkite", "circleci", "email", "github", "gitlab"]

Claims = dict[str, Any]

ISSUERS = {
    "github": "https://token.actions.githubusercontent.com",
    "gitlab": "https://gitlab.com",
    "circleci": "https://oidc.circleci.com",
    "buildkite": "https://agent.buildkite.com",
    "email": "https://oauth2.sigstore.dev/auth",
}
_COMMIT = "4f1c2a9be0d35c7716e0f2a8b6d9c3e5a7410f28"


def github(
    repository: str = "acme/shop",
    ref: str = "refs/heads/main",
    workflow: str = ".github/workflows/release.yml",
    environment: str = "",
    event: str = "push",
    sha: str = _COMMIT,
) -> Claims:
    """
    GitHub Actions; with an `environment` the subject names that and not the ref.

    The workflow that signs (`job_workflow_ref`) is the one that was started, not a reusable one.
    """
    owner = repository.partition("/")[0]
    about = f"environment:{environment}" if environment else f"ref:{ref}"
    claims = {
        "jti": secrets.token_hex(16),
        "sub": f"repo:{repository}:{about}",
        "ref": ref,
        "sha": sha,
        "repository": repository,
        "repository_owner": owner,
        "repository_owner_id": "65",
        "run_id": "7412",
        "run_number": "10",
        "run_attempt": "2",
        "repository_visibility": "private",
        "repository_id": "74",
        "actor_id": "12",
        "actor": "octo",
        "workflow": "release",
        "head_ref": "",
        "base_ref": "",
        "event_name": event,
        "ref_protected": "true",
        "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
        "workflow_ref": f"{repository}/{workflow}@{ref}",
        "workflow_sha": sha,
        "job_workflow_ref": f"{repository}/{workflow}@{ref}",
        "job_workflow_sha": sha,
        "runner_environment": "github-hosted",
    }
    return claims | ({"environment": environment} if environment else {})


def gitlab(
    project: str = "acme/shop",
    ref: str = "main",
    config: str = ".gitlab-ci.yml",
    environment: str = "",
    source: str = "push",
    ref_type: str = "branch",
) -> Claims:
    """GitLab's `id_tokens:`; ids are strings there, and `ref` is a short name."""
    path = f"refs/{'heads' if ref_type == 'branch' else 'tags'}/{ref}"
    claims = {
        "jti": secrets.token_hex(16),
        "sub": f"project_path:{project}:ref_type:{ref_type}:ref:{ref}",
        "namespace_id": "72",
        "namespace_path": project.rpartition("/")[0],
        "project_id": "20",
        "project_path": project,
        "user_id": "1",
        "user_login": "sample-user",
        "user_email": "sample-user@example.com",
        "user_access_level": "developer",
        "pipeline_id": "574",
        "pipeline_source": source,
        "job_id": "302",
        "ref": ref,
        "ref_type": ref_type,
        "ref_path": path,
        "ref_protected": "true",
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "sha": _COMMIT,
        "project_visibility": "private",
        "ci_config_ref_uri": f"gitlab.com/{project}//{config}@{path}",
        "ci_config_sha": _COMMIT,
    }
    if environment:
        claims |= {"environment": environment, "environment_protected": "true"}
    return claims


def circleci(
    project: str = "c9bdfb5e-0e94-4c2c-9b2a-1a1c1c3c6b7e",
    definition: str = "5034460f-c7c4-4c43-9457-de07e2029e7b",
    origin: str = "github.com/acme/shop",
    ref: str = "refs/heads/main",
) -> Claims:
    """CircleCI; every claim but the standard ones is below a host name."""
    org, user = "0b4f1e1c-37a4-4a0b-8d8e-6f3f1f7e2a11", "3c7e7a3d-6d35-4a6e-a0c2-7e0b0c6a7d55"
    own = {
        "org-id": org,
        "project-id": project,
        "context-ids": [],
        "pipeline-definition-id": definition,
        "pipeline-id": "f9f7f1f2-1f4e-4ad8-8f4b-9d2a3d2b6d10",
        "workflow-id": "61cbf4a8-7b0b-4e0e-9b62-6a3d5e3c4f21",
        "job-id": "b2c3a8de-55a4-4a8e-8d0f-2f1e0d9c8b7a",
        "ssh-rerun": False,
        "vcs-origin": origin,
        "vcs-ref": ref,
    }
    subject = f"org/{org}/project/{project}/user/{user}/vcs-origin/{origin}/vcs-ref/{ref}"
    return {"sub": subject} | {f"oidc.circleci.com/{name}": value for name, value in own.items()}


def buildkite(
    organization: str = "acme", pipeline: str = "shop", branch: str = "main", step: str = "release"
) -> Claims:
    """Buildkite's agent."""
    about = f"ref:refs/heads/{branch}:commit:{_COMMIT}:step:{step}"
    return {
        "sub": f"organization:{organization}:pipeline:{pipeline}:{about}",
        "organization_slug": organization,
        "organization_id": "0184990a-4772-44f0-8ce1-1a5a0b4f3a01",
        "pipeline_slug": pipeline,
        "pipeline_id": "0184990a-477b-4fa8-9968-496074483cee",
        "build_number": 1216,
        "build_branch": branch,
        "build_tag": None,
        "build_commit": _COMMIT,
        "build_source": "webhook",
        "step_key": step,
        "job_id": "0184990a-4782-42b5-afc1-16715b10b8ff",
        "agent_id": "0184990a-4790-4c1f-8e39-2d2ad3ee1b1e",
        "runner_environment": "self-hosted",
    }


def email(
    address: str = "kim@example.com", connector: str = "https://accounts.google.com"
) -> Claims:
    """A person, through sigstore's own federation: the issuer that counts is the connector."""
    return {
        "sub": secrets.token_urlsafe(24),
        "email": address,
        "email_verified": True,
        "federated_claims": {"connector_id": connector, "user_id": "1"},
    }


CLAIMS: dict[str, Callable[[], Claims]] = {
    "github": github,
    "gitlab": gitlab,
    "circleci": circleci,
    "buildkite": buildkite,
    "email": email,
}
