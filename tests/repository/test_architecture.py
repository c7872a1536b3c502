from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from tests.repository.sources import ROOT, body_lines, functions, modules, named

_BARE_IGNORE = re.compile(r"#\s*type:\s*ignore(?!\[[a-z])|#\s*noqa(?!: [A-Z])")


def test_imports_point_one_way() -> None:
    """Every contract of pyproject.toml holds."""
    program = str(Path(sys.executable).parent / "lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


ONE_IMPORTER = {
    "kubernetes": ["applier/cluster.py"],
    "click": ["stagepass/cli/", "certs/__main__.py"],
    "flask": ["webhook/app.py", "webhook/routes.py", "webhook/body.py"],
    "prometheus_client": ["webhook/", "applier/metrics.py"],
}


@pytest.mark.parametrize("package", ONE_IMPORTER)
def test_a_package_has_one_importer(package: str) -> None:
    """What is loaded in one place can be replaced in one place."""
    importers = {
        str(path.relative_to(ROOT))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
        if package in _imported(node)
    }

    assert importers
    assert {i for i in importers if not i.startswith(tuple(ONE_IMPORTER[package]))} == set()


def _imported(node: ast.AST) -> set[str]:
    match node:
        case ast.Import(names=names):
            return {alias.name.partition(".")[0] for alias in names}
        case ast.ImportFrom(module=str(module), level=0):
            return {module.partition(".")[0]}
    return set()


def test_files_are_short() -> None:
    """No file has over 300 lines, and half of them have at most 120."""
    lengths = {named(path): len(path.read_text().splitlines()) for path in modules()}

    assert {name: length for name, length in lengths.items() if length > 300} == {}
    assert median(lengths.values()) <= 120


def test_functions_are_short() -> None:
    """No function has over 60 lines, and half of them have at most 8."""
    lengths = {
        f"{named(path, function.lineno)} {function.name}": body_lines(function)
        for path in modules()
        for function in functions(path)
    }

    assert {name: length for name, length in lengths.items() if length > 60} == {}
    assert median(lengths.values()) <= 8


def test_imports_stand_at_the_top() -> None:
    """Only the command line imports inside functions, so that a command loads what it needs alone."""
    inside = {
        named(path, node.lineno)
        for path in modules()
        if not path.is_relative_to(ROOT / "stagepass" / "cli")
        for function in functions(path)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    }

    assert inside == set()


def test_no_import_is_only_for_types() -> None:
    """An import that a type checker alone sees would hide a dependency from the contracts."""
    assert [named(path) for path in modules() if "TYPE_CHECKING" in path.read_text()] == []


def test_an_ignored_finding_is_named() -> None:
    """A bare `type: ignore` or `noqa` would hide the next finding of that line as well."""
    bare = [
        named(path, number)
        for path in modules()
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if _BARE_IGNORE.search(line)
    ]

    assert bare == []
