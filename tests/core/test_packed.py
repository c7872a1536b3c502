"""A set in one file: the same revision, one form, and nothing a directory could not hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stagepass.errors import InputError
from stagepass.policy.load import PolicyError
from stagepass.policy.packed import MAX_PACKED, PACKED_FILE, pack, unpack
from stagepass.policy.store import (
    load_directory,
    read_directory,
    revision_of,
    sign_directory,
)
from tests.world import DAY, NOW, policy_files, signer, write_policy

HEADER = b"stagepass.dev/policy-set/v1\n"
parts = st.text("abcZ-_ é:0", min_size=1, max_size=6)
names = st.lists(parts, min_size=1, max_size=3).map("/".join)


def mounted(volume: Path, packed: bytes) -> Path:
    """As the kubelet mounts a ConfigMap of one key, with an empty volume at `keys`."""
    version = volume / "..2026_11_26_12_00_00.1234567890"
    version.mkdir(parents=True)
    (version / PACKED_FILE).write_bytes(packed)
    (volume / "..data").symlink_to(version.name)
    (volume / PACKED_FILE).symlink_to(f"..data/{PACKED_FILE}")
    (volume / "keys").mkdir()
    return volume


def test_a_mounted_packed_set_is_the_set_it_was_made_from(tmp_path: Path) -> None:
    root = write_policy(tmp_path / "policy")
    volume = mounted(tmp_path / "volume", pack(read_directory(root)))

    assert read_directory(volume) == policy_files()
    assert load_directory(volume).revision == load_directory(root).revision


def test_a_packed_set_is_signed_as_its_files_were(tmp_path: Path) -> None:
    root, key = write_policy(tmp_path / "policy"), signer("root").private
    sign_directory(root, key, issued=NOW, expires=NOW + DAY)
    volume = mounted(tmp_path / "volume", pack(read_directory(root)))

    assert load_directory(volume, key.public).sequence == 1
    altered = pack({**read_directory(root), "more.yaml": b""})
    with pytest.raises(PolicyError, match=r"not as signed: more\.yaml"):
        load_directory(mounted(tmp_path / "altered", altered), key.public)


@given(st.dictionaries(names, st.binary(max_size=40), max_size=5))
def test_what_packs_unpacks_to_the_same_with_the_same_revision(files: dict[str, bytes]) -> None:
    assume(not any(name.startswith(f"{other}/") for name in files for other in files))
    packed = pack(files)

    assert unpack(packed) == files
    assert pack(dict(reversed(files.items()))) == packed
    assert hashlib.sha256(packed.removeprefix(HEADER)).hexdigest() == revision_of(files)


@given(st.binary(max_size=60), st.integers(0, 60), st.booleans())
def test_whatever_unpacks_is_what_pack_writes(noise: bytes, at: int, has_header: bool) -> None:
    """Two packed forms of one set would be two objects that ask for a write again and again."""
    good = pack({"a": b"x", "b/c": b"yz"})
    for data in ((HEADER if has_header else b"") + noise, good[:at] + noise + good[at:]):
        try:
            files = unpack(data)
        except InputError:
            continue
        assert pack(files) == data


@pytest.mark.parametrize(
    "name",
    ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", ".hidden", "a/.git/b", "a\nb", PACKED_FILE,
     "\u202e", "/".join("a" * 17)],
)  # fmt: skip
def test_a_name_that_no_set_holds_is_refused_both_ways(name: str) -> None:
    raw = name.encode(errors="replace")
    packed = HEADER + b"%d:%s:0:" % (len(raw), raw)

    for call in (lambda: pack({name: b""}), lambda: unpack(packed)):
        with pytest.raises(InputError, match="is not the name of a file of a policy set"):
            call()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "does not begin"),
        (HEADER[:-1], "does not begin"),
        (HEADER + b"1:a:1:", "past the end"),
        (HEADER + b"1:a:-1:", "no length"),
        (HEADER + b"1:a:+0:", "no length"),
        (HEADER + b"\xd9\xa1:a:0:", "no length"),
        (HEADER + b"1:a:999999999999:", "no length"),
        (HEADER + b"1:a", "without its end"),
        (HEADER + b"1:a:0:x", "no length"),
        (HEADER + b"1:a:00:", "an order, a number"),
        (HEADER + b"1:a:0:1:a:0:", "given twice"),
        (HEADER + b"1:b:0:1:a:0:", "an order"),
        (HEADER + b"1:a:0:3:a/b:0:", "is a file and a directory"),
        (HEADER + b"1:\xff:0:", "not UTF-8"),
        (HEADER + b"3:\xed\xa0\x80:0:", "not UTF-8"),
        (HEADER + b"".join(b"%d:%04d:0:" % (4, n) for n in range(2001)), "over 2000 files"),
        (HEADER + b"x" * MAX_PACKED, "over 1048576 bytes"),
    ],
)
def test_anything_else_is_refused_and_says_why(data: bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        unpack(data)
    with pytest.raises(PolicyError, match=rf"{PACKED_FILE}: .*{says}"):
        read_directory(mounted(tmp_path / "volume", data))


def test_a_set_that_no_config_map_can_hold_is_not_packed() -> None:
    room = MAX_PACKED - len(HEADER) - len(b"1:a:1048539:")

    assert len(pack({"a": bytes(room)})) == MAX_PACKED
    with pytest.raises(InputError, match=r"takes 1048577 bytes.*one ConfigMap holds no more"):
        pack({"a": bytes(room + 1)})


@pytest.mark.parametrize("beside", ["policy.yaml", "keys/ci.pub"])
def test_files_beside_a_packed_set_are_refused(tmp_path: Path, beside: str) -> None:
    """They would be part of nothing that anybody signed."""
    volume = mounted(tmp_path / "volume", pack(policy_files()))
    (volume / beside).write_text("")

    with pytest.raises(PolicyError, match=f"stands for a whole set.*{beside}"):
        read_directory(volume)


def test_a_packed_set_is_refused_where_no_key_vouches_for_it(tmp_path: Path) -> None:
    volume = mounted(tmp_path / "volume", pack(policy_files()))

    with pytest.raises(PolicyError, match="STAGEPASS_POLICY_ROOT_KEY is not set"):
        read_directory(volume, packed=False)
    assert read_directory(write_policy(tmp_path / "plain"), packed=False) == policy_files()


def test_a_packed_set_is_not_signed_where_it_lies(tmp_path: Path) -> None:
    """The signature would lie beside it, and nothing would read either."""
    volume = mounted(tmp_path / "volume", pack(policy_files()))
    sign: Callable[[], object] = lambda: sign_directory(  # noqa: E731
        volume, signer("root").private, issued=NOW, expires=NOW + DAY
    )

    with pytest.raises(PolicyError, match="sign the directory it was packed from"):
        sign()
    assert sorted(path.name for path in volume.iterdir() if path.name[0] != ".") == [
        "keys",
        PACKED_FILE,
    ]
