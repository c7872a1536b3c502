from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.failure import Failure
from applier.tree import Blob, TreeLimits, blobs, check_content, check_path

_OID = "a" * 40
_NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)


def _line(path: str, *, mode: str = "100644", kind: str = "blob", size: str = "1") -> bytes:
    return f"{mode} {kind} {_OID} {size:>7}\t{path}".encode()


def test_a_listing_gives_its_files() -> None:
    listing = b"\0".join(
        [
            _line("a", mode="040000", kind="tree", size="-"),
            _line("a/b c"),
            _line("z", mode="100755"),
            b"",
        ]
    )

    assert blobs(listing, TreeLimits()) == [Blob("a/b c", _OID, 1), Blob("z", _OID, 1)]


@pytest.mark.parametrize("line", [b"junk", b"100644 blob xyz 1\ta", b"100644 blob\ta", b"\xff"])
def test_a_listing_that_cannot_be_read_is_refused(line: bytes) -> None:
    with pytest.raises(Failure, match="cannot be read"):
        blobs(line, TreeLimits())


@pytest.mark.parametrize(
    "name",
    ["kustomization.yaml", ".gitignore", ".github/x", "a b", "git~", "x.git", "ü/é", "...", "-x"],
)
def test_ordinary_names_are_read(name: str) -> None:
    assert check_path(name.encode(), TreeLimits()) == name


@given(st.lists(_NAMES, min_size=1, max_size=4).map("/".join))
def test_a_name_that_is_read_stays_below_the_root(path: str) -> None:
    """Whatever passes is relative, has no hidden character and no part that means something."""
    try:
        found = check_path(path.encode(), TreeLimits())
    except Failure:
        return
    parts = found.split("/")
    assert found == path
    assert not {"", ".", ".."} & set(parts)
    assert not any(part.lower().startswith(".git ") or part.lower() == ".git" for part in parts)
    assert all(unicodedata.category(c) not in ("Cc", "Cf") for c in found)


@given(st.lists(_NAMES.filter(lambda n: "/" not in n), min_size=2, max_size=5))
def test_no_two_files_that_are_read_are_one_elsewhere(names: list[str]) -> None:
    listing = b"\0".join(map(_line, names))
    try:
        found = [blob.path for blob in blobs(listing, TreeLimits())]
    except Failure:
        return
    assert len({unicodedata.normalize("NFC", name).lower() for name in found}) == len(names)


def test_a_collision_of_directories_is_one() -> None:
    """`A/x` and `a/y` are two files here, and one directory on a Mac."""
    with pytest.raises(Failure, match="in case or form alone"):
        blobs(_line("A/x") + b"\0" + _line("a/y"), TreeLimits())


def test_a_pointer_is_told_by_its_first_line() -> None:
    check_content("a", b"# see version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(Failure, match="dir/a: is a Git LFS pointer"):
        check_content("dir/a", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
