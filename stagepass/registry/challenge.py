"""What a 401 asks for: the challenges of `WWW-Authenticate` (RFC 9110 section 11.6.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# A parameter, its value quoted or not, or else the name of a scheme. What is quoted is read as a
# whole, so that no text in it passes for a scheme.
_PART = re.compile(
    r"([\w-]+)\s*=\s*(?:\"((?:\\.|[^\"\\])*)\"|([^\s,]*))|([A-Za-z][\w-]*)(?=[\s,]|$)", re.ASCII
)
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in. `scheme` and the names of `parameters` are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def challenges(header: str) -> dict[str, Challenge]:
    """Scheme → challenge; the first where one stands twice, as does the first value of a parameter."""
    found: dict[str, Challenge] = {}
    parameters: dict[str, str] = {}
    for name, quoted, plain, scheme in _PART.findall(header):
        if scheme:
            parameters = {}
            found.setdefault(scheme.lower(), Challenge(scheme.lower(), parameters))
        else:
            parameters.setdefault(name.lower(), _ESCAPED.sub(r"\1", quoted) or plain)
    return found
