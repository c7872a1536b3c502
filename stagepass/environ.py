"""Typed reading of environment variables, once, in a composition root; errors name the variable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from stagepass.errors import InputError

T = TypeVar("T")


def read(
    environ: Mapping[str, str], name: str, parse: Callable[[str], T], default: str | None = None
) -> T:
    """
    The variable `name`, or `default`, made into a value by `parse`.

    Raises `InputError` naming the variable: unset without a default, or refused by `parse`.
    """
    text = environ.get(name) or default
    if text is None:
        raise InputError("is not set", where=name)
    try:
        return parse(text)
    except InputError as error:
        raise InputError(error.message, where=name, hint=error.hint) from error
    except ValueError as error:
        raise InputError(f"{text!r}: {error}", where=name) from error


def between(low: float, high: float) -> Callable[[str], float]:
    """A parser for a number in that range, ends included."""

    def parse(text: str) -> float:
        number = float(text)
        if not low <= number <= high:
            raise InputError(f"{text!r} is not between {low:g} and {high:g}")
        return number

    return parse
