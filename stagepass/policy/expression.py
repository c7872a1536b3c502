"""
Conditions on a predicate, in CEL. The only importer of the engine, `cel-expr-python`.

A condition is written by a policy author and judged over what a signer wrote. It says yes in one way
only: the engine answers a BOOL that `is True`. The engine returns an error as a value whose text is
truthy, and raises for others; here both are `ConditionError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cel_expr_python import cel  # type: ignore[import-untyped]  # ships stubs without py.typed

from stagepass.decision import Code
from stagepass.errors import AttestationError, InputError, did_you_mean
from stagepass.policy.expression_cost import MAX_UNITS, Cost, Size, levels

_VARIABLES = {
    "predicate": cel.Type.DYN,
    "subject": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "now": cel.Type.TIMESTAMP,
}
_ENV = cel.NewEnv(variables=_VARIABLES)
# `.map(a, a + a)` 24 times is 400 characters and builds 256 MB: the cap bounds the parser alone.
_MAX_BYTES = 4 << 10
_MAX_DEPTH = 64
_MAX_QUOTED = 300
_LIKE = 'like predicate.result == "PASSED" && size(predicate.failures) == 0'
_NAMES = f"variables: {', '.join(_VARIABLES)}; functions: those of standard CEL"
_AROUND = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$| \(in container ''\)$")
_FOUND_AT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): ([^\n]+)")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")


class ConditionError(AttestationError):
    """
    No verdict: the condition failed on this predicate. Never a yes.

    The message is the engine's and may quote what a signer wrote, so it is one line and cut.
    """

    def __init__(self, message: str) -> None:
        line = " ".join(message.split())
        cut = line if len(line) <= _MAX_QUOTED else f"{line[:_MAX_QUOTED]}..."
        super().__init__(Code.CONDITION_ERROR, cut)


@dataclass(frozen=True, slots=True)
class Condition:
    """
    A compiled CEL text; equal to another of the same text. Judging is safe from several threads.

    Declared are `predicate` (any JSON), `subject` (a map with `name` and `digest`, strings) and `now`
    (a timestamp). What could take longer than `MAX_UNITS` is not begun, and the engine ends an
    evaluation at 10,000 loop steps.
    """

    text: str
    _program: Any = field(compare=False, repr=False)
    _cost: Cost = field(compare=False, repr=False)

    @classmethod
    def compile(cls, text: str) -> Condition:
        """Raises `InputError`: not CEL, an unknown name, not a yes-or-no question, over 4 KB."""
        _bound_text(text)
        program = _compiled(text)
        answers = program.return_type()
        if answers not in (cel.Type.BOOL, cel.Type.DYN):
            raise InputError(
                f"a condition is true or false; this one is a {answers.name()}", hint=_LIKE
            )
        _refuse_open_comment(text)
        return cls(text, program, Cost.of(text))

    def judge(self, predicate: Mapping[str, Any], *, name: str, digest: str, now: datetime) -> bool:
        """
        Whether the condition holds. Raises `ConditionError`, whatever the engine stumbles over.

        `predicate` is what `strictjson` read, nothing else; `name` is the repository of the subject,
        `digest` its `algorithm:hex`; `now` is aware.
        """
        document = dict(predicate)
        if self._cost.units(_fit_size(document)) > MAX_UNITS:
            raise ConditionError("the predicate is too large for this condition")
        subject = {"name": name, "digest": digest}
        data = {"predicate": document, "subject": subject, "now": now}
        try:
            kind, answer = _verdict(self._program.eval(data=data))
        except Exception as error:  # of whatever kind, it is not a yes
            raise ConditionError(_bare(str(error))) from error
        if kind == cel.Type.ERROR:
            raise ConditionError(_bare(str(answer)))
        if kind != cel.Type.BOOL:
            raise ConditionError(f"the condition answers a {kind.name()}, not true or false")
        return answer is True


def _verdict(value: Any) -> tuple[Any, object]:
    """
    The type of an answer and, if that is BOOL or ERROR, the answer.

    Of other types it must not be taken: each null taken out releases a None that the engine never
    held, and after some thousand of them the interpreter aborts (cel-expr-python 0.1.3, Python 3.11).
    """
    kind = value.type()
    return kind, value.value() if kind in (cel.Type.BOOL, cel.Type.ERROR) else None


def _bound_text(text: str) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InputError("a condition with half a surrogate pair is no text") from error
    if size > _MAX_BYTES:
        raise InputError(f"a condition of {size} bytes; at most {_MAX_BYTES} are compiled")


def _compiled(text: str) -> Any:
    try:
        return _ENV.compile(text)
    except RuntimeError as error:
        raise _explained(str(error)) from error


def _explained(message: str) -> InputError:
    """The first of the engine's complaints; its own text spans lines and draws an arrow."""
    found = _FOUND_AT.search(message)
    complaint = _bare(found[3] if found else message)[:_MAX_QUOTED]
    # A complaint about no place in particular, as too deep a nesting, is at -1.
    placed = found and found[1] != "-1"
    where = f"line {found[1]}, column {found[2]}: " if found and placed else ""
    unknown = _UNDECLARED.search(complaint)
    if unknown:
        hint = did_you_mean(unknown[1].split(".")[0], _VARIABLES)
        return InputError(f"{where}{complaint}", hint=hint if "mean" in hint else _NAMES)
    return InputError(f"not a CEL condition: {where}{complaint}", hint=_LIKE)


def _refuse_open_comment(text: str) -> None:
    """
    A text that ends inside a comment compiles whatever follows, and that is refused.

    YAML's folded style (`>`) joins lines: a `//` after the first condition swallows all the others.
    """
    try:
        _ENV.compile(f"{text.rstrip()} )")
    except RuntimeError:
        return
    raise InputError(
        "the text ends inside a // comment, which may hide a condition",
        hint="write comments in YAML, with #",
    )


def _bare(message: str) -> str:
    """Without the engine's status words: `NOT_FOUND: no key [NOT_FOUND]` is `no key`."""
    return _AROUND.sub("", message)


def _fit_size(document: dict[str, Any]) -> Size:
    r"""
    Its size. Raises `ConditionError` for the two shapes of JSON that the engine must not be given.

    It recurses: 20,000 levels end the process (SIGSEGV). And it cuts text at a NUL, so that it would
    find "PASSED\0 not" equal to "PASSED".
    """
    found = list(levels(document, _MAX_DEPTH + 1))
    if any("\0" in text for level in found for text in level if type(text) is str):
        raise ConditionError("the predicate holds a NUL character")
    if len(found) > _MAX_DEPTH and any(type(node) in (dict, list) for node in found[-1]):
        raise ConditionError(f"the predicate is nested more than {_MAX_DEPTH} levels deep")
    return Size.of(iter(found))
