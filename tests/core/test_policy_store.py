from __future__ import annotations

import os
from pathlib import Path

import pytest

from stagepass.policy.load import PolicyError
from stagepass.policy.store import load_directory, read_directory, revision_of
from tests.world import policy_files, signer, variant, write_policy


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_policy(tmp_path / "policy")


def refused(root: Path) -> str:
    with pytest.raises(PolicyError) as caught:
        load_directory(root)
    return str(caught.value)


def test_a_set_is_every_file_of_its_directory(root: Path) -> None:
    assert read_directory(root) == policy_files()
    assert [p.name for p in load_directory(root).pipelines] == ["shop"]


def test_hidden_files_and_directories_are_no_part_of_a_set(root: Path) -> None:
    before = load_directory(root).revision
    (root / ".draft.yaml").write_text("junk: [")
    (root / ".git").mkdir()
    (root / ".git" / "config.yaml").write_text("junk: [")
    (root / "keys" / ".ci.pub.swp").write_text("x")

    assert load_directory(root).revision == before


def test_a_set_loads_as_kubernetes_mounts_a_config_map(root: Path) -> None:
    """Links through `..data`, which is a link itself and is swapped whole."""
    mount = root.parent / "mount"
    version = mount / "..2026_11_26"
    version.parent.mkdir()
    root.rename(version)
    (mount / "..data").symlink_to(version.name)
    (mount / "policy.yaml").symlink_to("..data/policy.yaml")
    (mount / "keys").symlink_to("..data/keys")

    assert read_directory(mount) == policy_files()
    assert load_directory(mount).revision == revision_of(policy_files())


def test_the_directory_itself_may_be_a_link(root: Path) -> None:
    link = root.parent / "current"
    link.symlink_to(root)

    assert load_directory(link).revision == load_directory(root).revision


@pytest.mark.parametrize("target", ["../outside.pub", "../outside", "/etc/hostname", "/"])
def test_a_link_out_of_the_directory_is_refused(root: Path, target: str) -> None:
    (root.parent / "outside.pub").write_bytes(signer("ci").public_pem)
    (root.parent / "outside").mkdir()
    (root / "keys" / "link.pub").symlink_to(
        root.parent / target.removeprefix("../") if target.startswith("..") else target
    )

    assert refused(root) == f"{root}/keys/link.pub: links out of the policy directory"


def test_a_link_that_leads_nowhere_or_to_itself_is_refused(root: Path) -> None:
    link = root / "extra.yaml"
    link.symlink_to(root / "absent.yaml")
    assert refused(root).endswith("absent.yaml: No such file or directory")

    link.unlink()
    link.symlink_to(link)
    assert "extra.yaml" in refused(root)


def test_a_link_back_up_is_refused_instead_of_followed_for_ever(root: Path) -> None:
    (root / "keys" / "again").symlink_to(root)

    assert "over 16 directories deep, or a link that leads back" in refused(root)


@pytest.mark.parametrize(
    "file",
    [
        "../keys/ci.pub",
        "keys/../keys/ci.pub",
        "/keys/ci.pub",
        "keys",
        "keys/",
        "keys/none.pub",
        "~",
    ],
)
def test_a_key_file_lies_below_the_file_that_names_it(root: Path, file: str) -> None:
    (root / "policy.yaml").write_text(variant({"attestors.ci.keys.0.file": file}))

    assert f"there is no file {file!r} beside policy.yaml" in refused(root)


def test_the_absolute_path_of_a_key_is_refused_although_the_file_is_there(root: Path) -> None:
    absolute = str(root / "keys" / "ci.pub")
    (root / "policy.yaml").write_text(variant({"attestors.ci.keys.0.file": absolute}))

    assert f"there is no file {absolute!r} beside policy.yaml" in refused(root)


def test_a_key_path_starts_where_its_own_policy_file_lies(root: Path) -> None:
    text = variant({"attestors.ci.keys.0.file": "./keys/ci.pub"})
    folder = root / "teams"
    folder.mkdir()
    (root / "policy.yaml").rename(folder / "policy.yml")
    assert "there is no file 'keys/ci.pub' beside teams/policy.yml" in refused(root)

    (root / "keys").rename(folder / "keys")
    (folder / "policy.yml").write_text(text)
    assert load_directory(root).attestors["ci"]


def test_a_key_that_is_hidden_is_not_there(root: Path) -> None:
    (root / "keys" / "ci.pub").rename(root / "keys" / ".ci.pub")
    (root / "policy.yaml").write_text(variant({"attestors.ci.keys.0.file": "keys/.ci.pub"}))

    assert "there is no file 'keys/.ci.pub' beside policy.yaml" in refused(root)


def test_what_is_not_a_directory_is_refused(root: Path) -> None:
    assert refused(root / "absent") == f"{root}/absent: No such file or directory"
    assert refused(root / "policy.yaml") == f"{root}/policy.yaml: Not a directory"


def test_a_pipe_is_no_policy_file_and_is_never_waited_for(root: Path) -> None:
    os.mkfifo(root / "pipe.yaml")

    assert read_directory(root) == policy_files()


def test_a_directory_of_more_files_than_any_policy_needs_is_refused(root: Path) -> None:
    for index in range(2_000):
        (root / f"{index}.txt").touch()

    assert "over 2000 files or 16777216 bytes" in refused(root)


def test_more_bytes_than_any_policy_needs_are_refused(root: Path) -> None:
    (root / "big.txt").write_bytes(b"x" * (16 << 20))

    assert "over 2000 files or 16777216 bytes" in refused(root)


def test_the_revision_changes_with_every_byte_of_every_file() -> None:
    files = policy_files()
    revisions = {revision_of(files)}
    variants = 0
    for name, data in files.items():
        for index in range(0, len(data), 7):
            altered = data[:index] + bytes([data[index] ^ 1]) + data[index + 1 :]
            revisions.add(revision_of({**files, name: altered}))
            variants += 1
    assert len(revisions) == variants + 1


def test_the_revision_tells_names_from_contents_and_files_from_each_other() -> None:
    same_text = [
        {"a": b"bc"},
        {"ab": b"c"},
        {"a": b"b", "c": b""},
        {"a": b"", "b": b"c"},
        {"a": b"c", "b": b""},
        {},
    ]

    assert len({revision_of(files) for files in same_text}) == len(same_text)
    files = policy_files()
    assert revision_of(dict(reversed(files.items()))) == revision_of(files)


def test_a_file_that_no_policy_names_is_still_part_of_the_revision(root: Path) -> None:
    before = load_directory(root).revision
    (root / "README.md").write_text("why we do this")

    assert load_directory(root).revision != before
