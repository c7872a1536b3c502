"""
Each page's own step and policy entry, run: the certificate is the CI job's, and no other's will do.

The job has the variables and programs of its CI system; sigstore and the OIDC provider are ours, on
loopback, and certify what the public instance would.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.ci_steps import pages
from tests.ci_steps.runner import Agent, Done
from tests.ci_steps.shop import Shop
from tests.ci_steps.systems import SYSTEMS
from tests.simulators.sigstore import ci
from tests.simulators.sigstore.oidc import Provider
from tests.simulators.sigstore.server import Server

_GOOGLE = "https://accounts.google.com"
_EKS = "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
_JENKINS = "https://jenkins.example.com"
_ACCOUNT = "release@acme-ci.iam.gserviceaccount.com"


def _mail(address: str) -> dict[str, Any]:
    return {"sub": "104", "email": address, "email_verified": True}


@dataclass(frozen=True, slots=True)
class Case:
    """The job that the page is about, one that is not, and the issuer where it is not the CI's own."""

    kind: str
    job: Mapping[str, Any]
    other: Mapping[str, Any]
    issuer: str | None = None


CASES = {
    "github": Case("github", ci.github(), ci.github(workflow=".github/workflows/test.yml")),
    "gitlab": Case("gitlab", ci.gitlab(), ci.gitlab(ref="feature")),
    "circleci": Case("circleci", ci.circleci(), ci.circleci(project="00000000-0000-4000-8000-0")),
    "buildkite": Case("buildkite", ci.buildkite(), ci.buildkite(pipeline="shop-fork")),
    "tekton": Case(
        "kubernetes",
        {"sub": "system:serviceaccount:release:release"},
        {"sub": "system:serviceaccount:release:default"},
        _EKS,
    ),
    "jenkins": Case(
        "uri",
        {"sub": f"{_JENKINS}/job/shop/job/main/"},
        {"sub": f"{_JENKINS}/job/shop/job/PR-7/"},
        f"{_JENKINS}/oidc",
    ),
    "teamcity": Case("email", _mail(_ACCOUNT), _mail(f"x{_ACCOUNT}"), _GOOGLE),
    "shell": Case("email", _mail(_ACCOUNT), _mail(f"x{_ACCOUNT}"), _GOOGLE),
}
_AMBIENT = ("github", "gitlab", "circleci", "buildkite")


@dataclass(frozen=True, slots=True)
class Site:
    """A job of one CI system, and a policy that trusts what the page says."""

    page: str
    shop: Shop
    agent: Agent
    provider: Provider
    server: Server

    def sign(self, **changes: str) -> Done:
        """The page's step, with the image of the shop and our sigstore in place of the public one."""
        given = pages.inputs(self.page)
        for name in ("image-file", "key", "key-file", "requirements", "job-stage"):
            given.pop(name, None)
        given |= {"image": self.shop.image, "install": "", "trust-config": "sigstore.json"}
        variables: dict[str, str] = {}
        programs = self.agent.root / "programs"
        programs.mkdir(parents=True, exist_ok=True)
        if self.page in _AMBIENT:
            variables = self.provider.environment(programs)
        else:
            given["identity-token-file"] = "token"
            (self.shop.root / "token").write_text(self.provider.token())
        variables["PATH"] = f"{programs}:{self.agent.path}"
        return self.agent.run(SYSTEMS[self.page]({**given, **changes}), variables)


@pytest.fixture(params=CASES)
def site(request: pytest.FixtureRequest, shop: Shop, agent: Agent) -> Iterator[Site]:
    page, case = request.param, CASES[request.param]
    with (
        Provider(case.kind, dict(case.job), issuer=case.issuer) as provider,
        Server(provider) as server,
    ):
        _trust(shop, page, server)
        yield Site(page, shop, agent, provider, server)


def _trust(shop: Shop, page: str, server: Server) -> None:
    config, root = server.sigstore.trust_config("v2", tsa=True), server.sigstore.trusted_root()
    (shop.root / "sigstore.json").write_bytes(config)
    (shop.root / "policy" / "trust").mkdir()
    (shop.root / "policy" / "trust" / "root.json").write_bytes(root)
    attestor = pages.attestor(page)
    (name,) = attestor["identities"][0]["trustRoots"]
    line = {"name": name, "file": "trust/root.json", "sha256": hashlib.sha256(root).hexdigest()}
    shop.trust(json.dumps(attestor), [json.dumps(line)])


def test_the_step_of_the_page_lets_the_image_in(site: Site) -> None:
    """And without a key anywhere on the machine."""
    for key in Path(site.shop.root).glob("*.key"):
        key.unlink()
    before = site.shop.decision("test")
    done = site.sign()

    assert before == "denied"
    assert done.code == 0, done.log
    assert site.shop.decision("test") == "admitted", done.log


def test_another_job_of_the_same_ci_lets_nothing_in(site: Site) -> None:
    site.provider.claims = dict(CASES[site.page].other)
    done = site.sign()

    assert done.code == 0, done.log
    assert site.shop.decision("test") == "denied"


@pytest.mark.parametrize("site", ["gitlab"], indirect=True)
def test_a_pass_is_not_signed_as_somebody_whom_the_stage_does_not_name(site: Site) -> None:
    """Asked before anything is stored: the certificate is CI's, and the stage's signer is a cluster."""
    assert site.sign().code == 0
    done = site.sign(predicate="", stage="test", policy="policy")

    assert done.code == 1, done.log
    assert "SIGNER_UNKNOWN" in done.log
    assert site.shop.decision("production") == "denied"


@pytest.mark.parametrize("site", ["shell"], indirect=True)
def test_an_authority_that_is_down_is_a_reason(site: Site) -> None:
    site.server.down = {"ca"}
    done = site.sign()

    assert done.code == 2, done.log
    assert "could not find out" in done.log
