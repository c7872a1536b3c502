"""
Resource quantities, which an API server spells its own way: `1000m` is kept as `1`. Pure.

Where the table of a kind says that a field holds one, `equal` compares. `same` is for who has no
table and only knows the member's name.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30}))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?",
    re.ASCII,
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}

# Members that hold a quantity, and maps whose every member does. A ConfigMap's `data.cpu` is text.
_MAPS = {
    *("limits", "requests", "hard", "capacity", "podFixed", "maxLimitRequestRatio"),
    *("max", "min", "default", "defaultRequest"),
}
_MEMBERS = {
    ("emptyDir", "sizeLimit"),
    ("resourceFieldRef", "divisor"),
    ("target", "averageValue"),
    ("target", "value"),
}


@lru_cache(maxsize=1024, typed=True)
def parse(value: object) -> Fraction | None:
    """The number it stands for, or None for what is no quantity. JSON numbers are quantities."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return None
    number, suffix = Fraction(match[1]), match[2] or ""
    if suffix in _BINARY:
        return number * (1 << 10 * _BINARY[suffix])
    exponent = int(suffix[1:]) if len(suffix) > 1 else _DECIMAL.get(suffix, 0)
    power: Fraction = Fraction(10) ** exponent
    return number * power


def equal(left: object, right: object) -> bool:
    """Whether both are quantities, and the same one, however spelled."""
    if not isinstance(left, str | int | float) or not isinstance(right, str | int | float):
        return False
    quantity = parse(left)
    return quantity is not None and quantity == parse(right)


def same(parent: str, name: str, left: object, right: object) -> bool:
    """Whether `parent.name` is known to hold quantities and both are the same one."""
    if parent not in _MAPS and (parent, name) not in _MEMBERS:
        return False
    return equal(left, right)
