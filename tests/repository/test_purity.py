from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.repository.sources import ROOT

_PURE = (
    "stagepass/decision.py",
    "stagepass/objects.py",
    "stagepass/predicates/release.py",
    *(
        f"stagepass/release/{name}.py"
        for name in (
            "artifact",
            "build",
            "compare",
            "content",
            "model",
            "refused",
            "salted",
            "scopes",
        )
    ),
    *(
        f"stagepass/manifests/{name}.py"
        for name in (
            "allowed",
            "claims",
            "compare",
            "conditional",
            "conditional_pods",
            "controllers",
            "difference",
            "fields",
            "kinds",
            "metadata",
            "quantity",
            "secrets",
            "templates",
            "walk",
        )
    ),
    "stagepass/stage.py",
    "stagepass/policy/model.py",
    "stagepass/policy/evaluate.py",
    "stagepass/policy/passes.py",
    "applier/backoff.py",
    "applier/classify.py",
    "applier/compare.py",
    "applier/health.py",
    "applier/health_builtin.py",
    "applier/health_status.py",
    "applier/inventory.py",
    "applier/objects.py",
    "applier/plan.py",
    "applier/pods.py",
    "applier/ran.py",
    "applier/refused.py",
    "applier/refused_kinds.py",
    "applier/rules.py",
    "applier/soak.py",
)
_MODULES = {"io", "logging", "os", "pathlib", "random", "secrets", "socket", "subprocess", "time"}
_CLOCKS = {"now", "utcnow", "today"}
_DOORS = {"open", "print", "input", "__import__"}


def _reached(source: str) -> Iterator[str]:
    """What `source` takes from outside: modules that know the machine, clocks, files."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                yield from (a.name for a in names if a.name.split(".")[0] in _MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in _MODULES:
                yield module
            case ast.Call(func=ast.Attribute(attr=name)) if name in _CLOCKS:
                yield name
            case ast.Call(func=ast.Name(id=name)) if name in _DOORS:
                yield name


@pytest.mark.parametrize("name", _PURE)
def test_what_decides_reaches_nothing_outside(name: str) -> None:
    """The same arguments give the same decision, on every machine and at every time."""
    assert list(_reached((ROOT / name).read_text())) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from socket import socket",
        "def f():\n    from pathlib import Path",
        "datetime.now(UTC)",
        "datetime.datetime.utcnow()",
        "date.today()",
        "open('x')",
    ],
)
def test_the_check_sees(source: str) -> None:
    """Each way out of a pure module is noticed."""
    assert len(list(_reached(source))) == 1
