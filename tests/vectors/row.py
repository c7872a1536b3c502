"""What a row of the table is: an attack, the doors it is tried at, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Door(StrEnum):
    """Where an attack is tried."""

    OBJECT = "admit+webhook"
    """The same AdmissionReview to `stagepass admit` and to a running webhook."""
    REGISTRY = "admit+webhook, registry"
    """The same, where evidence lies in a registry that may lie."""
    WEBHOOK = "webhook"
    """The endpoint itself, in bytes that no API server sends."""
    POLICY = "verify+webhook"
    """The policy set on disk: `stagepass verify`, and a webhook that watches it."""
    CLI = "scan"
    APISERVER = "apiserver"
    """A real control plane that asks a real gate."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    One input. At `OBJECT` and `REGISTRY`, `run` builds the review; elsewhere it gives the answer.

    `wanted` is what the catalogue asks for, where that is not `expected`: a known difference.
    """

    name: str
    door: Door
    run: Callable[[Any], Any]
    expected: str
    wanted: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One vector. `note` is the part that does not apply, or why a result differs."""

    id: str
    attack: str
    cases: tuple[Case, ...] = ()
    note: str = ""

    @property
    def is_applicable(self) -> bool:
        return bool(self.cases)


def objects(expected: str, wanted: str = "", **runs: Callable[[Any], Any]) -> tuple[Case, ...]:
    """Reviews that all get the same answer at both doors, each under the name of its argument."""
    return tuple(
        Case(name.replace("_", " "), Door.OBJECT, run, expected, wanted)
        for name, run in runs.items()
    )


def registry(expected: str, **runs: Callable[[Any], Any]) -> tuple[Case, ...]:
    """The same, with evidence in a registry."""
    return tuple(
        Case(name.replace("_", " "), Door.REGISTRY, run, expected) for name, run in runs.items()
    )


def images(expected: str, *texts: str, wanted: str = "") -> tuple[Case, ...]:
    """Pods that run these images; `{D}` stands for an attested digest, `{U}` for one that is not."""
    return tuple(
        Case(repr(_short(text)), Door.OBJECT, _pod_of(text), expected, wanted) for text in texts
    )


def _short(text: str) -> str:
    """The usual repository is not what the attack is about."""
    return text.replace("registry.example.com/shop/web", "…/web")[:64]


def _pod_of(text: str) -> Callable[[Any], Any]:
    return lambda bench: bench.create(bench.filled(text))
