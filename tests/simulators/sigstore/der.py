"""Just enough DER to write a time stamp and to read a request for one."""

from __future__ import annotations

from datetime import datetime

SEQUENCE, SET, OCTETS, UTF8, INTEGER, BOOLEAN, NULL = 0x30, 0x31, 0x04, 0x0C, 0x02, 0x01, 0x05


def tlv(tag: int, *content: bytes) -> bytes:
    """One element: tag, length, and the parts of its content."""
    body = b"".join(content)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(size))) + size + body


def sequence(*content: bytes) -> bytes:
    """SEQUENCE."""
    return tlv(SEQUENCE, *content)


def integer(value: int) -> bytes:
    """INTEGER, which is not negative."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


def utf8(text: str) -> bytes:
    """UTF8String: how Fulcio writes every extension but its first six."""
    return tlv(UTF8, text.encode())


def oid(dotted: str) -> bytes:
    """OBJECT IDENTIFIER."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(0x06, b"".join(_arc(arc) for arc in (40 * first + second, *rest)))


def _arc(value: int) -> bytes:
    septets = [value & 0x7F]
    while value := value >> 7:
        septets.append(0x80 | value & 0x7F)
    return bytes(reversed(septets))


def generalized_time(moment: datetime) -> bytes:
    """GeneralizedTime in UTC, to the second (RFC 3161 2.4.2 allows a fraction; we send none)."""
    return tlv(0x18, f"{moment:%Y%m%d%H%M%SZ}".encode())


def elements(data: bytes) -> list[tuple[int, bytes]]:
    """The (tag, content) of each element in `data`; raises `IndexError` on a cut one."""
    found, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(data[at : at + width]), at + width
        if at + size > len(data):
            raise IndexError(f"element of {size} bytes is cut short")
        found.append((tag, data[at : at + size]))
        at += size
    return found
