"""The entry of `trustRoots` that `trust update --policy` shows: it can be pasted where it says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from stagepass.cli.trust_entries import Naming
from stagepass.errors import InputError
from stagepass.policy.store import load_directory
from tests.simulators.sigstore import Sigstore
from tests.world import signer, write_policy

ROOT = Sigstore().trusted_root()
DIGEST = hashlib.sha256(ROOT).hexdigest()
HEAD = "apiVersion: stagepass.dev/v1\nkind: Attestors\n"
ENTRY = "  - {{name: x, file: {path}, sha256: {digest}}}\n"


def naming(directory: Path, file: str, **policy_files: str) -> Naming:
    """Of `file`, in the set of `tests.world` with these more; `__` stands for a slash."""
    write_policy(directory)
    for name, text in policy_files.items():
        path = directory / f"{name.replace('__', '/')}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (directory / file).parent.mkdir(parents=True, exist_ok=True)
    return Naming.of(directory / file, directory)


def test_it_goes_where_the_attestors_are(tmp_path: Path) -> None:
    found = naming(tmp_path, "trust/acme.json")

    assert (found.policy_file, found.path, found.entries) == ("policy.yaml", "trust/acme.json", ())
    assert found.entry(DIGEST) == f'- {{name: acme, file: trust/acme.json, sha256: "{DIGEST}"}}'


@pytest.mark.parametrize(
    ("file", "policy_file", "path"),
    [
        ("ci/trust/acme.json", "ci/roots.yaml", "trust/acme.json"),
        ("ci/acme.json", "ci/roots.yaml", "acme.json"),
        ("trust/acme.json", "policy.yaml", "trust/acme.json"),
        ("circus/acme.json", "policy.yaml", "circus/acme.json"),
    ],
)
def test_beside_other_roots_where_these_can_reach_it(
    tmp_path: Path, file: str, policy_file: str, path: str
) -> None:
    """A policy file names what lies below its own folder, without `..`."""
    entry = ENTRY.format(path="other.json", digest="0" * 64)
    found = naming(tmp_path, file, ci__roots=f"{HEAD}trustRoots:\n{entry}", ci__a=HEAD)

    assert (found.policy_file, found.path) == (policy_file, path)


def test_where_it_is_named_already_with_what(tmp_path: Path) -> None:
    entry = ENTRY.format(path="./acme.json", digest="0" * 64)
    other = ENTRY.format(path="ci/other.json", digest="1" * 64)
    found = naming(
        tmp_path,
        "ci/acme.json",
        a=f"{HEAD}trustRoots:\n{other}",
        ci__roots=f"{HEAD}trustRoots:\n{entry}",
    )

    assert (found.policy_file, found.path) == ("ci/roots.yaml", "acme.json")
    assert found.entries == (("ci/roots.yaml: trustRoots[0]", "0" * 64),)


def test_in_a_set_that_is_not_written_yet_below_its_directory(tmp_path: Path) -> None:
    found = Naming.of(tmp_path / "trust" / "acme.json", tmp_path)

    assert (found.policy_file, found.path) == (None, "trust/acme.json")


def test_without_a_set_it_is_the_bare_name(tmp_path: Path) -> None:
    found = Naming.of(tmp_path / "trust" / "acme.json", None)

    assert (found.policy_file, found.path, found.entries) == (None, "acme.json", ())


def test_a_file_outside_of_the_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not in"):
        Naming.of(tmp_path / "acme.json", tmp_path / "policy")


@pytest.mark.parametrize("name", ["acme", "2027", "null", "on", "1e3", "a, b", "it's", "é", "[x]"])
@pytest.mark.parametrize("folder", ["", "ci/"])
def test_pasted_it_loads_whatever_the_file_is_called(
    tmp_path: Path, name: str, folder: str
) -> None:
    text = f"{HEAD}attestors: {{x: {{keys: [{{file: x.pub, owner: x}}]}}}}\n"
    found = naming(tmp_path, f"{folder}{name}.json", **{f"{folder.replace('/', '__')}a": text})
    (tmp_path / folder / "x.pub").write_bytes(signer("x").public_pem)
    (tmp_path / folder / f"{name}.json").write_bytes(ROOT)

    assert found.policy_file == f"{folder}a.yaml"
    pasted = f"{text}trustRoots:\n  {found.entry(DIGEST)}\n"
    (tmp_path / found.policy_file).write_text(pasted)
    assert load_directory(tmp_path).trust_roots == {name: DIGEST}
