from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.repository.sources import ROOT, named, repository_files

_LOCKS = sorted(ROOT.glob("requirements/*.txt"))
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
# Split, so that this file does not name them either.
_REGISTRIES = [
    ".".join(parts).encode()
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("crates", "io"),
        ("repo1", "maven", "org"),
        ("deb", "debian", "org"),
    )
]
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s|\\n)*[A-Za-z0-9+/]{20}")


def _pins(lock: Path) -> dict[str, tuple[str, list[str]]]:
    """Name → (version, hashes) of every entry."""
    found: dict[str, tuple[str, list[str]]] = {}
    for entry in lock.read_text().replace("\\\n", " ").splitlines():
        words = entry.partition("#")[0].split()
        if words:
            name, pinned, version = words[0].partition("==")
            assert pinned, f"{named(lock)}: {words[0]} is not pinned"
            found[canonicalize_name(name)] = (version, _HASH.findall(entry))
    return found


def _direct() -> list[Requirement]:
    """What pyproject.toml asks for: the core, its extras, and the build."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["project"]["optional-dependencies"].values()
    texts = [
        *project["project"]["dependencies"],
        *(text for extra in extras for text in extra),
        *project["build-system"]["requires"],
    ]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda path: path.name)
def test_every_pin_has_hashes(lock: Path) -> None:
    """`pip --require-hashes` takes the bytes that were looked at, and no others."""
    pins = _pins(lock)

    assert pins
    assert [name for name, (_, hashes) in pins.items() if not hashes] == []


@pytest.mark.parametrize("lock", _LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_source(lock: Path) -> None:
    """Where packages come from is the setting of whoever installs, mirrors included."""
    text = lock.read_text()

    assert "://" not in text
    assert "--index-url" not in text
    assert "--extra-index-url" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("requirement", _direct(), ids=str)
def test_a_direct_dependency_is_pinned(requirement: Requirement) -> None:
    """keyless.txt installs everything pyproject.toml asks for, in a version it allows; run.txt the rest."""
    pins = _pins(ROOT / "requirements" / "keyless.txt")
    version, _ = pins[canonicalize_name(requirement.name)]

    assert requirement.specifier.contains(version)


def test_only_what_sigstore_needs_is_beyond_run_txt() -> None:
    """A gate whose policy names no identity goes without the extra `keyless`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["keyless"]
    keyless = {canonicalize_name(Requirement(text).name) for text in extra}
    direct = {canonicalize_name(requirement.name) for requirement in _direct()}

    assert keyless
    assert direct - _pins(ROOT / "requirements" / "run.txt").keys() == keyless


@pytest.mark.parametrize("one", _LOCKS, ids=lambda path: path.name)
def test_the_locks_agree(one: Path) -> None:
    """Tests run against the versions that are shipped, and any two locks install together."""
    pins = _pins(one)

    for other in _LOCKS:
        shared = {name: pin for name, pin in _pins(other).items() if name in pins}
        assert {name: pins[name] for name in shared} == shared, named(other)
    dev = _pins(ROOT / "requirements" / "dev.txt")
    assert pins.keys() <= dev.keys()


def test_no_file_names_a_package_registry() -> None:
    """The same clone installs behind any mirror."""
    naming = [
        f"{named(path)}: {host.decode()}"
        for path in repository_files()
        for data in [path.read_bytes()]
        for host in _REGISTRIES
        if host in data
    ]

    assert naming == []


def test_no_private_key_is_in_the_repository() -> None:
    """Tests make their keys; whoever wants one of ours makes it too."""
    files = repository_files()

    assert [named(path) for path in files if path.suffix == ".key"] == []
    assert [named(path) for path in files if _PRIVATE_KEY.search(path.read_bytes())] == []


def test_the_search_for_private_keys_sees_one() -> None:
    """Whole, and as a string in source code."""
    for kind in (b"", b"EC ", b"RSA ", b"ENCRYPTED ", b"OPENSSH "):
        head = b"-----BEGIN " + kind + b"PRIVATE KEY-----"

        assert _PRIVATE_KEY.search(head + b"\n" + b"MIGHAgEAMBMGByqGSM49AgEGCC")
        assert _PRIVATE_KEY.search(head + rb"\n" + b"MIGHAgEAMBMGByqGSM49AgEGCC")
