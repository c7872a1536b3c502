"""`stagepass trust`: against a real TUF repository on loopback, which can be told to lie."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from tests.cli.conftest import Result, Shop
from tests.simulators.sigstore import Sigstore, Windows
from tests.simulators.tuf import TufRepository, serve

NAME = "trusted_root.json"
INSTANCE = Sigstore()
TRUSTED = INSTANCE.trusted_root()
LATER = INSTANCE.trusted_root(Windows(without=frozenset({"v1"})))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TufRepository]:
    """A repository that has published one root; this user remembers nothing of it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    with serve(TufRepository()) as served:
        served.publish({NAME: TRUSTED})
        (tmp_path / "root.json").write_bytes(served.root)
        yield served


def update(shop: Shop, repository: TufRepository, *arguments: str) -> Result:
    options = ["--url", repository.url, "--root", str(shop.root / "root.json")]
    return shop.run("trust", "update", str(shop.root / "private.json"), *options, *arguments)


def file(shop: Shop) -> Path:
    return shop.root / "private.json"


def test_a_root_is_fetched_and_the_entry_to_paste_is_shown(
    shop: Shop, repository: TufRepository
) -> None:
    result = update(shop, repository)
    digest = hashlib.sha256(TRUSTED).hexdigest()

    assert (result.code, result.err) == (0, "")
    assert file(shop).read_bytes() == TRUSTED
    assert f"sha256 {digest}" in result.out
    assert f'- {{name: private, file: private.json, sha256: "{digest}"}}' in result.out


def test_what_changed_is_told_and_what_did_not_is_not_written(
    shop: Shop, repository: TufRepository
) -> None:
    assert update(shop, repository).code == 0
    inode = file(shop).stat().st_ino
    again = update(shop, repository, "--output", "json")
    assert (again.line["changed"], again.line["changes"]) == (False, [])
    assert file(shop).stat().st_ino == inode

    repository.publish({NAME: LATER})
    changed = update(shop, repository, "--output", "json")
    assert changed.line["changed"] is True
    (told,) = changed.line["changes"]
    assert told.startswith(f"no longer: transparency log {INSTANCE.url}, sha256 ")
    assert file(shop).read_bytes() == LATER


def test_the_entries_of_a_policy_set_that_must_change_are_named(
    shop: Shop, repository: TufRepository
) -> None:
    digest, old = hashlib.sha256(TRUSTED).hexdigest(), "0" * 64
    trust = shop.policy / "trust"
    trust.mkdir()
    entries = "".join(
        f"  - {{name: {name}, file: trust/private.json, sha256: {value!r}}}\n"
        for name, value in (("stale", old), ("fresh", digest))
    )
    (shop.policy / "more.yaml").write_text(f"kind: Attestors\ntrustRoots:\n{entries}")
    options = ["--url", repository.url, "--root", str(shop.root / "root.json")]
    options += ["--policy", str(shop.policy), "--output", "json"]
    result = shop.run("trust", "update", str(trust / "private.json"), *options)

    assert result.line["entriesToChange"] == ["more.yaml: trustRoots[0]"]
    assert "file: trust/private.json," in result.line["entry"]
    assert result.line["policyFile"] == "more.yaml"

    elsewhere = ["--policy", str(shop.root / "private")]
    refused = shop.run("trust", "update", str(trust / "private.json"), *elsewhere)
    assert (refused.code, "is not in" in refused.err) == (64, True)


def test_the_entry_to_paste_is_relative_to_the_policy_file_it_goes_to(
    shop: Shop, repository: TufRepository
) -> None:
    folder = shop.policy / "ci"
    folder.mkdir()
    (folder / "roots.yaml").write_text("kind: Attestors\ntrustRoots: []\n")
    options = ["--url", repository.url, "--root", str(shop.root / "root.json")]
    file = str(folder / "private.json")
    result = shop.run("trust", "update", file, *options, "--policy", str(shop.policy))

    assert (
        "\ntrustRoots:  # in ci/roots.yaml\n  - {name: private, file: private.json," in result.out
    )


def _older(repository: TufRepository) -> None:
    repository.publish({NAME: LATER}, version=1)


def _expired(repository: TufRepository) -> None:
    repository.publish({NAME: LATER}, life=timedelta(seconds=-1))


def _stranger(repository: TufRepository) -> None:
    repository.publish({NAME: LATER}, key=CryptoSigner.generate_ecdsa())


def _stolen_root(repository: TufRepository) -> None:
    repository.files["2.root.json"] = TufRepository().root


def _changed_target(repository: TufRepository) -> None:
    repository.publish({NAME: LATER})
    path = repository.target(NAME)
    repository.files[path] = LATER.replace(b"miniature", b"malicious")


def _longer_target(repository: TufRepository) -> None:
    repository.publish({NAME: LATER})
    repository.files[repository.target(NAME)] += b" "


def _mixed(repository: TufRepository) -> None:
    """The newest timestamp, and the snapshot of a version before."""
    old = repository.files["2.snapshot.json"]
    repository.publish({NAME: LATER})
    repository.files["3.snapshot.json"] = old


def _without(repository: TufRepository) -> None:
    repository.publish({"other.json": LATER})


LIES = [
    (_older, "version"),
    (_expired, "expired"),
    (_stranger, "signed by 0/1 keys"),
    (_stolen_root, "2.root.json|root|version"),
    (_changed_target, "does not match"),
    (_longer_target, "exceeding"),
    (_mixed, "version"),
    (_without, "names no trusted_root.json"),
]


@pytest.mark.parametrize(("lie", "reason"), LIES, ids=lambda v: getattr(v, "__name__", ""))
@pytest.mark.parametrize("is_there", [True, False], ids=["over a file", "new"])
def test_a_repository_that_lies_is_refused_and_the_file_stays(
    shop: Shop, repository: TufRepository, lie: object, reason: str, is_there: bool
) -> None:
    repository.publish({NAME: TRUSTED})
    assert update(shop, repository).code == 0
    if not is_there:
        file(shop).unlink()
    assert callable(lie)
    lie(repository)
    result = update(shop, repository)

    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("refused: ")
    assert any(word in result.err for word in reason.split("|")), result.err
    assert (file(shop).read_bytes() == TRUSTED) if is_there else not file(shop).exists()
    assert not list(shop.root.glob(".private*"))


def test_after_the_lie_the_truth_counts_again(shop: Shop, repository: TufRepository) -> None:
    repository.publish({NAME: TRUSTED})
    assert update(shop, repository).code == 0
    _older(repository)
    assert update(shop, repository).code == 1
    repository.publish({NAME: LATER}, version=3)
    assert update(shop, repository).code == 0
    assert file(shop).read_bytes() == LATER


@pytest.mark.parametrize("path", ["timestamp.json", "1.targets.json", "target"])
def test_a_redirect_is_not_followed(shop: Shop, repository: TufRepository, path: str) -> None:
    """Not even to the very same bytes (CVE-2026-49478)."""
    path = repository.target(NAME) if path == "target" else path
    repository.files["elsewhere"] = repository.files[path]
    repository.redirects[path] = f"{repository.url}/elsewhere"
    result = update(shop, repository)

    assert result.code == 2
    assert "redirects are not followed" in result.err
    assert "elsewhere" not in repository.asked
    assert not file(shop).exists()


@pytest.mark.usefixtures("repository")
def test_a_repository_that_cannot_be_reached_is_not_found_out(shop: Shop) -> None:
    with serve(TufRepository()) as gone:
        pass
    result = update(shop, gone)

    assert result.code == 2
    assert result.err.startswith(f"could not find out: {gone.url}")
    assert "Connection refused" in result.err


@pytest.mark.parametrize("url", ["http://tuf.example.com", "file:///etc", "ftp://127.0.0.1", "x"])
def test_only_https_and_loopback_are_asked(shop: Shop, url: str) -> None:
    result = shop.run("trust", "update", str(file(shop)), "--url", url)

    assert result.code == 64
    assert "is no https URL" in result.err


def test_a_repository_of_ones_own_needs_its_root(shop: Shop, repository: TufRepository) -> None:
    result = shop.run("trust", "update", str(file(shop)), "--url", repository.url)
    assert result.code == 64
    assert "--root" in result.err


@pytest.mark.parametrize("content", [b"", b"{}"])
def test_a_root_that_is_none_is_named(
    shop: Shop, repository: TufRepository, content: bytes
) -> None:
    """An empty file as well: it is not as if none had been given."""
    root = shop.root / "root.json"
    root.write_bytes(content)
    result = update(shop, repository)

    assert (result.code, file(shop).exists()) == (64, False)
    assert result.err.startswith(f"error: {root}: ")
    assert "nothing is known" not in result.err


def test_what_is_signed_and_is_no_trusted_root_is_not_written(
    shop: Shop, repository: TufRepository
) -> None:
    repository.publish({NAME: b"{}"})

    assert update(shop, repository).code == 64
    assert not file(shop).exists()


@pytest.mark.parametrize("part", ["ctlogs", "tlogs"])
def test_a_log_with_the_id_of_another_key_is_not_written(
    shop: Shop, repository: TufRepository, part: str
) -> None:
    """Signed by the instance or not: nobody would see that the key behind the id is another."""
    assert update(shop, repository).code == 0
    document, other = json.loads(TRUSTED), json.loads(Sigstore("other").trusted_root())
    document[part][0]["publicKey"] = other[part][0]["publicKey"]
    repository.publish({NAME: json.dumps(document).encode()})
    result = update(shop, repository)

    assert (result.code, result.out) == (64, "")
    assert "its id is not the SHA-256 of its key" in result.err
    assert file(shop).read_bytes() == TRUSTED

    file(shop).write_text(json.dumps(document))
    shown = shop.run("trust", "show", str(file(shop)))
    assert shown.code == 0
    assert "its id is not the SHA-256 of its key" in shown.err


def test_an_authority_that_signs_with_another_chain_is_told(
    shop: Shop, repository: TufRepository
) -> None:
    assert update(shop, repository).code == 0
    document, other = json.loads(TRUSTED), json.loads(Sigstore("other").trusted_root())
    chain = document["certificateAuthorities"][0]["certChain"]["certificates"]
    chain[0] = other["certificateAuthorities"][0]["certChain"]["certificates"][0]
    repository.publish({NAME: json.dumps(document).encode()})
    result = update(shop, repository)

    assert result.code == 0
    assert f"  changed: certificate authority {INSTANCE.url}, sha256 " in result.out


def test_a_root_of_times_alone_is_one(shop: Shop, repository: TufRepository) -> None:
    """Without certificate authorities: a set may have trust roots for what keys sign."""
    times = INSTANCE.trusted_root(Windows(without=frozenset({"ca", "ct", "v1", "v2"})))
    repository.publish({NAME: times})

    assert update(shop, repository).code == 0
    assert file(shop).read_bytes() == times


def test_a_root_is_shown_with_all_its_authorities(shop: Shop) -> None:
    file(shop).write_bytes(TRUSTED)
    shown = shop.run("trust", "show", str(file(shop)), "--output", "json").line

    assert shown["sha256"] == hashlib.sha256(TRUSTED).hexdigest()
    kinds = [each["kind"] for each in shown["trusted"]]
    assert kinds == [
        "certificate authority",
        "certificate log",
        *["transparency log"] * 2,
        "time stamp authority",
    ]
    assert {each["until"] for each in shown["trusted"]} == {None}

    text = shop.run("trust", "show", str(file(shop)))
    assert text.code == 0
    for each in shown["trusted"]:
        assert each["id"] in text.out
        assert each["sha256"] in text.out


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", None, json.dumps({"mediaType": 1}).encode()]
)
def test_what_is_no_root_is_not_shown(shop: Shop, content: bytes | None) -> None:
    if content is not None:
        file(shop).write_bytes(content)
    result = shop.run("trust", "show", str(file(shop)))

    assert result.code == 64
    assert str(file(shop)) in result.err


def test_showing_needs_no_sigstore(shop: Shop) -> None:
    file(shop).write_bytes(TRUSTED)
    script = (
        "import sys; from stagepass.cli.main import run; code = run(sys.argv[1:]);"
        "sys.exit(code or [n for n in ('sigstore', 'tuf') if n in sys.modules] or 0)"
    )
    command = [sys.executable, "-c", script, "trust", "show", str(file(shop))]
    assert subprocess.run(command, capture_output=True).returncode == 0
