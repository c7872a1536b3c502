"""What a server may be called, in its own cluster and from outside."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from certs.files import read_certificate
from stagepass.errors import InputError

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"  # RFC 1123, at most 63; a common name holds 64
_ISSUE = "python -m certs issue DIR --service NAME --namespace NAME --force"


@dataclass(frozen=True, slots=True)
class Names:
    """Names for one certificate. `common` is for people: clients read only `dns` and `ips`."""

    common: str
    dns: tuple[str, ...]
    ips: tuple[IPv4Address | IPv6Address, ...]

    @classmethod
    def of_service(
        cls, service: str, namespace: str, *, dns: Iterable[str] = (), ips: Iterable[str] = ()
    ) -> Names:
        """Take the four names of a Service, then the given ones. Raises `InputError`."""
        _label(service, "--service")
        _label(namespace, "--namespace")
        inside = f"{service}.{namespace}.svc"
        every = (service, f"{service}.{namespace}", inside, f"{inside}.cluster.local")
        hosts = dict.fromkeys((*every, *map(_host, dns)))
        return cls(service, tuple(hosts), tuple(dict.fromkeys(map(_address, ips))))

    @classmethod
    def of_certificate(cls, path: Path) -> Names:
        """Take those in the certificate at `path`. Raises `InputError`, also when it has none."""
        certificate = read_certificate(path, hint=_ISSUE)
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        except x509.ExtensionNotFound:
            raise InputError("no subjectAltName", where=str(path), hint=_ISSUE) from None
        ips = found.value.get_values_for_type(x509.IPAddress)
        return cls(
            str(common[0].value) if common else "stagepass",
            tuple(found.value.get_values_for_type(x509.DNSName)),
            tuple(ip for ip in ips if isinstance(ip, IPv4Address | IPv6Address)),
        )

    def san(self) -> x509.SubjectAlternativeName:
        """Build the extension that carries them."""
        hosts, ips = map(x509.DNSName, self.dns), map(x509.IPAddress, self.ips)
        return x509.SubjectAlternativeName([*hosts, *ips])


def _label(text: str, option: str) -> None:
    if not re.fullmatch(_LABEL, text):
        hint = "lowercase letters, digits and '-', at most 63"
        raise InputError(f"{text!r} is not a Kubernetes name", where=option, hint=hint)


def _host(text: str) -> str:
    if not re.fullmatch(rf"{_LABEL}(?:\.{_LABEL})*", text) or len(text) > 253:
        hint = "write it like gate.example.com, lowercase; an address goes to --ip"
        raise InputError(f"{text!r} is not a host name", where="--dns", hint=hint)
    return text


def _address(text: str) -> IPv4Address | IPv6Address:
    try:
        return ip_address(text)
    except ValueError:
        hint = "write it like 127.0.0.1 or ::1; a name goes to --dns"
        raise InputError(f"{text!r} is not an IP address", where="--ip", hint=hint) from None
