from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from stagepass.decision import Code
from stagepass.digest import Digest
from stagepass.policy import lint as rules
from stagepass.policy.fields import KINDS
from stagepass.policy.lint import lint
from stagepass.policy.schema import (
    REQUIRED,
    Boolean,
    Choice,
    Count,
    Field,
    ListOf,
    MapOf,
    Mapped,
    OneOf,
    Reader,
    TextOr,
)
from stagepass.policy.store import load_directory
from stagepass.signing import PrivateKey
from tests.keyless.world import root_of
from tests.repository.sources import ROOT
from tests.world import NOW

_POLICY = (ROOT / "docs" / "policy.md").read_text()
_SETTINGS = (ROOT / "docs" / "settings.md").read_text()
_VARIABLE = re.compile(r"\bSTAGEPASS_[A-Z_]+\b")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table whose first cell is a name in backticks."""

    type: str
    default: str
    meaning: str


def _section(text: str, title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[1]


def _table(section: str) -> dict[str, list[str]]:
    """First cell → the other cells."""
    rows: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
            assert name not in rows, f"{name} is documented twice"
            rows[name.strip("`")] = cells
    return rows


def _fields(kind: str) -> dict[str, Row]:
    return {name: Row(*cells) for name, cells in _table(_section(_POLICY, f"kind: {kind}")).items()}


def _walk(reader: Reader, path: str = "") -> Iterator[tuple[str, Field]]:
    """Every field below `reader`: `[]` for the items of a list, NAME for names of free choice."""
    match reader:
        case Mapped(fields=fields):
            for name, field in fields.items():
                member = f"{path}.{name}" if path else name
                yield member + "[]" * isinstance(field.read, ListOf), field
                yield from _walk(field.read, member)
        case ListOf(item=item):
            yield from _walk(item, f"{path}[]")
        case MapOf(item=item):
            yield from _walk(item, f"{path}.NAME")
        case TextOr(long=long):
            yield from _walk(long, path)
        case OneOf(kinds=kinds):
            for name, long in kinds.items():
                yield f"{path}.{name}", Field(long, REQUIRED if len(kinds) == 1 else None)
                yield from _walk(long, f"{path}.{name}")


def _words(reader: Reader) -> dict[str, object]:
    """The words that a field takes, and what they stand for; none where it takes any text."""
    match reader:
        case Choice(values=values):
            return dict(values)
        case Boolean():
            return {"true": True, "false": False}
        case _:
            return {}


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_documented_and_no_other(kind: str) -> None:
    """The field reference is the schema."""
    assert _fields(kind).keys() == {path for path, _ in _walk(KINDS[kind])}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_required_is_documented_as_such(kind: str) -> None:
    """The column *default* says `required` exactly where the schema does."""
    required = {path for path, field in _walk(KINDS[kind]) if field.default is REQUIRED}

    assert {path for path, row in _fields(kind).items() if row.default == "required"} == required


@pytest.mark.parametrize("kind", KINDS)
def test_words_and_their_defaults_are_documented(kind: str) -> None:
    """Of a field that takes one of a few words, all are listed, and the default is the right one."""
    rows = _fields(kind)

    for path, field in _walk(KINDS[kind]):
        if words := _words(field.read):
            assert set(re.findall(r"`([^`]+)`", rows[path].type)) == set(words), path
            default = {word for word, value in words.items() if value == field.default}
            assert set(re.findall(r"`([^`]+)`", rows[path].default)) == default, path


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_and_their_defaults_are_documented(kind: str) -> None:
    """A field that takes a number says so, with its default; no other does."""
    counts = {path: f"`{f.default}`" for path, f in _walk(KINDS[kind]) if isinstance(f.read, Count)}

    rows = _fields(kind)
    assert {path: row.default for path, row in rows.items() if row.type == "number"} == counts


def test_the_kinds_are_documented_and_no_other() -> None:
    """Each kind of document has its section."""
    assert set(re.findall(r"^## kind: (\w+)$", _POLICY, re.MULTILINE)) == set(KINDS)


def test_every_reason_code_is_documented_and_no_other() -> None:
    """The table of codes is `stagepass.decision.Code`."""
    assert set(_table(_section(_POLICY, "Reason codes"))) == {str(code) for code in Code}


def test_every_lint_rule_is_documented_and_no_other() -> None:
    """The table of rules is the one at the head of `stagepass.policy.lint`."""
    assert rules.__doc__
    named = re.findall(r"^    ([a-z-]+)  +", rules.__doc__, re.MULTILINE)
    given = {
        rule
        for path in ROOT.glob("stagepass/policy/lint*.py")
        for rule in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text())
    }

    assert list(_table(_section(_POLICY, "Lint findings"))) == named
    assert given == set(named)


def test_a_reserved_code_is_never_given() -> None:
    """A code that some module gives is not documented as reserved, nor the other way round."""
    rows = _table(_section(_POLICY, "Reason codes"))
    reserved = {name for name, (_, meaning) in rows.items() if meaning.startswith("reserved")}
    source = "".join(path.read_text() for path in _sources())

    assert {str(code) for code in Code if f"Code.{code}" not in source} == reserved


def test_the_example_loads_and_is_clean(tmp_path: Path) -> None:
    """The first example of docs/policy.md is a policy set, without a finding."""
    _write_example(tmp_path)

    assert lint(load_directory(tmp_path), now=NOW) == []


def test_the_example_of_identities_loads_beside_it(tmp_path: Path) -> None:
    """Nothing is to be said of it but that the first example has no use for it."""
    (text,) = _examples()[1:]
    _write_example(tmp_path)
    root = root_of()
    (tmp_path / "trust").mkdir()
    (tmp_path / "trust" / "public-good.json").write_bytes(root)
    (digest,) = re.findall(r"sha256: (\w+)", text)
    (tmp_path / "ci.yaml").write_text(text.replace(digest, Digest.of(root).hex))

    assert [each.rule for each in lint(load_directory(tmp_path), now=NOW)] == ["unused-attestor"]


def _examples() -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", _POLICY, re.MULTILINE | re.DOTALL)


def _write_example(root: Path) -> None:
    text = _examples()[0]
    (root / "policy.yaml").write_text(text)
    for name in re.findall(r"file: keys/(\S+)\.pub", text):
        PrivateKey.generate().write(root / "keys", name)


def test_every_setting_is_documented_and_no_other() -> None:
    """The table of settings is what the code reads, and what the deployment may set."""
    sources = [*_sources(), *ROOT.glob("applier/**/*.py")]
    used = {name for path in sources for name in _VARIABLE.findall(path.read_text())}
    files = [ROOT / "deploy" / name / "deployment.yaml" for name in ("base", "applier")]
    deployed = {name for path in files for name in _VARIABLE.findall(path.read_text())}
    documented = {name for name in _table(_SETTINGS) if name.startswith("STAGEPASS_")}

    assert documented == used
    assert deployed <= documented


def _sources() -> list[Path]:
    return [*ROOT.glob("stagepass/**/*.py"), *ROOT.glob("webhook/**/*.py")]
