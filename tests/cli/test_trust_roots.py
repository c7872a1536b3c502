"""What `trust update` and `trust show` say of a root: whatever is relied on, nothing behind an old name."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from stagepass.cli.trust_roots import changes, listed
from tests.simulators.sigstore import Sigstore

Root = dict[str, Any]
INSTANCE, STRANGER = Sigstore(), Sigstore("stranger")
V1, V2 = 0, 1


def root(instance: Sigstore = INSTANCE) -> Root:
    document: Root = json.loads(instance.trusted_root())
    return document


def told(change: Callable[[Root, Root], object]) -> list[str]:
    """What `changes` says once `change` was made to the root, with another instance's to take from."""
    changed = root()
    change(changed, root(STRANGER))
    return changes(*(listed(json.dumps(each).encode()) for each in (root(), changed)))


def _chain(document: Root, part: str) -> list[Any]:
    found: list[Any] = document[part][0]["certChain"]["certificates"]
    return found


def _key(part: str, index: int) -> Callable[[Root, Root], object]:
    def change(mine: Root, other: Root) -> None:
        theirs = other[part][index]["publicKey"]["rawBytes"]
        mine[part][index]["publicKey"]["rawBytes"] = theirs

    return change


def _leaf(part: str) -> Callable[[Root, Root], object]:
    def change(mine: Root, other: Root) -> None:
        _chain(mine, part)[0] = _chain(other, part)[0]

    return change


def _more(mine: Root, other: Root) -> None:
    """A second authority of the same name under the same root certificate."""
    again = json.loads(json.dumps(mine["certificateAuthorities"][0]))
    again["certChain"]["certificates"][0] = _chain(other, "certificateAuthorities")[0]
    mine["certificateAuthorities"].append(again)


def _set(path: str, value: object) -> Callable[[Root, Root], object]:
    *parents, last = path.split(".")

    def change(mine: Root, _: Root) -> None:
        found: Any = mine
        for step in parents:
            found = found[int(step) if step.isdigit() else step]
        found[last] = value

    return change


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (_key("tlogs", V1), "changed: transparency log {url}, sha256 {log} -> "),
        (_key("ctlogs", 0), "changed: certificate log {url}/ct, sha256 "),
        (_leaf("certificateAuthorities"), "changed: certificate authority {url}, sha256 "),
        (_leaf("timestampAuthorities"), "changed: time stamp authority {url}/api/v1/"),
        (_more, "new: certificate authority {url}"),
        (
            _set("ctlogs.0.publicKey.validFor.end", "2030-01-01T00:00:00Z"),
            "changed: certificate log {url}/ct, ",
        ),
        (
            _set("tlogs.0.checkpointKeyId", {"keyId": "AAAAAA=="}),
            "changed: transparency log {url}, in what is not shown: compare the files",
        ),
        (
            _set("ctlogs.0.publicKey.keyDetails", "PKIX_ED25519"),
            "changed: certificate log {url}/ct, in what is not shown: compare the files",
        ),
    ],
    ids=lambda value: None if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_a_change_behind_an_old_name_is_told(
    change: Callable[[Root, Root], object], wanted: str
) -> None:
    (said,) = told(change)
    log = hashlib.sha256(base64.b64decode(root()["tlogs"][V1]["publicKey"]["rawBytes"])).hexdigest()

    assert said.startswith(wanted.format(url=INSTANCE.url, log=log)), said


def test_the_order_and_the_spacing_of_a_root_are_no_change() -> None:
    before, after = root(), root()
    after["tlogs"].reverse()
    text = json.dumps(after, sort_keys=True, separators=(",", ":")).encode()

    assert changes(listed(json.dumps(before, indent=4).encode()), listed(text)) == []


def test_the_digest_is_of_the_whole_chain_or_of_the_key() -> None:
    """So that a reviewer can compute it: of the certificates in DER, one after the other."""
    document = root()
    chain = b"".join(
        base64.b64decode(each["rawBytes"]) for each in _chain(document, "certificateAuthorities")
    )
    key = base64.b64decode(document["ctlogs"][0]["publicKey"]["rawBytes"])
    authority, log, *_ = listed(INSTANCE.trusted_root())

    assert authority.sha256 == hashlib.sha256(chain).hexdigest()
    assert log.sha256 == hashlib.sha256(key).hexdigest()


@pytest.mark.parametrize("host", ["tuf-repo-cdn.sigstore.dev", "tuf-repo-cdn.sigstage.dev"])
def test_the_ids_of_the_public_logs_are_those_of_their_keys(host: str) -> None:
    """As they come with sigstore-python: Rekor 1, Rekor 2 and RSA in PKCS #1 among them."""
    stored = files("sigstore._store") / f"https%3A%2F%2F{host}" / "trusted_root.json"
    found = [each for each in listed(stored.read_bytes()) if each.kind.endswith(" log")]

    assert len(found) >= 4
    assert [each.name for each in found if not each.id_matches_key] == []


@pytest.mark.parametrize("url", ["https://log.example.com:8443", "http://127.0.0.1:1234"])
def test_the_id_of_a_private_rekor_2_is_of_its_host(url: str) -> None:
    found = listed(Sigstore("private", url=url).trusted_root())

    assert {each.id_matches_key for each in found if each.kind == "transparency log"} == {True}
    assert [each.doubt for each in found if each.doubt] == []


def test_an_id_that_is_not_of_its_key_is_told_apart() -> None:
    """Of a certificate log and of Rekor 1 for sure; Rekor 2 may sign under a name that is not its URL."""
    document, other = root(), root(STRANGER)
    for part, index in (("tlogs", V1), ("tlogs", V2), ("ctlogs", 0)):
        _key(part, index)(document, other)
    matches = {
        (each.kind, each.id): each.id_matches_key
        for each in listed(json.dumps(document).encode())
        if each.kind.endswith(" log")
    }

    assert matches == {
        ("certificate log", document["ctlogs"][0]["logId"]["keyId"]): False,
        ("transparency log", document["tlogs"][V1]["logId"]["keyId"]): False,
        ("transparency log", document["tlogs"][V2]["logId"]["keyId"]): None,
    }
