"""`revoke` of a list that another signer of the policy set wrote: a key, or an identity."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stagepass.bundle import Bundle
from stagepass.predicates.revocation import RevocationList
from tests.cli.conftest import Result
from tests.cli.identities import Keyless
from tests.world import DIGEST, OTHER_DIGEST, signer

FIRST = ["--artifact", str(DIGEST), "--reason", "first"]
SECOND = ["--artifact", str(OTHER_DIGEST), "--reason", "second"]


@pytest.fixture
def site(ci: Keyless) -> Keyless:
    """Its set has a revocation list, by the identity `ci` and the key `next`."""
    name_signers(ci, "ci", "next")
    return ci


def name_signers(ci: Keyless, *names: str) -> None:
    revocations = {"kind": "Revocations", "file": "list.json", "from": names}
    document = {"apiVersion": "stagepass.dev/v1", **revocations}
    (ci.policy / "revocations.yaml").write_text(json.dumps(document))


def listed(ci: Keyless) -> Path:
    return ci.policy / "list.json"


def revoke(ci: Keyless, who: list[str], *arguments: str) -> Result:
    return ci.shop.run("revoke", str(listed(ci)), *who, *arguments)


def by_key(ci: Keyless, name: str = "ci") -> list[str]:
    """The key of the set's attestor `next` is called `ci`."""
    file = ci.shop.root / f"{name}.key"
    file.write_bytes(signer(name).private_pem)
    return ["--key", str(file)]


def reasons(ci: Keyless) -> list[str]:
    payload = json.loads(Bundle.parse(listed(ci).read_bytes()).envelope.payload)
    return [entry.reason for entry in RevocationList.parse(payload["predicate"]).entries]


def test_that_of_an_identity_is_continued_by_a_key_of_the_set(site: Keyless) -> None:
    assert revoke(site, site.identity(), *FIRST).code == 0
    done = revoke(site, by_key(site), *SECOND, "--policy", str(site.policy))

    assert done.code == 0, done.err
    assert reasons(site) == ["first", "second"]


def test_that_of_a_key_is_continued_by_an_identity_of_the_set(site: Keyless) -> None:
    assert revoke(site, by_key(site), *FIRST).code == 0
    done = revoke(site, site.identity(), *SECOND, "--policy", str(site.policy))

    assert done.code == 0, done.err
    assert reasons(site) == ["first", "second"]


def test_without_the_set_it_is_said_what_to_give(site: Keyless) -> None:
    assert revoke(site, site.identity(), *FIRST).code == 0
    before = listed(site).read_bytes()
    done = revoke(site, by_key(site), *SECOND)

    assert (done.code, listed(site).read_bytes()) == (64, before)
    assert "an identity signed it: give the set that names it with --policy DIR" in done.err


def test_who_may_not_revoke_is_not_continued(site: Keyless) -> None:
    """The set knows the identity, and does not let it revoke: the gate would refuse the list as well."""
    assert revoke(site, site.identity(), *FIRST).code == 0
    name_signers(site, "next")
    before = listed(site).read_bytes()
    done = revoke(site, by_key(site), *SECOND, "--policy", str(site.policy))

    assert (done.code, listed(site).read_bytes()) == (64, before)
    assert "signed by ci, who may not revoke" in done.err


def test_a_strangers_list_is_not_continued(site: Keyless) -> None:
    """Whoever merges a commit could else take entries out."""
    assert revoke(site, by_key(site, "stranger"), *FIRST).code == 0
    before = listed(site).read_bytes()
    done = revoke(site, by_key(site), *SECOND, "--policy", str(site.policy))

    assert (done.code, listed(site).read_bytes()) == (64, before)
    assert "no key of the policy set verifies it" in done.err
    assert "with --signer" in done.err
