from __future__ import annotations

import ssl
from pathlib import Path

SERVICE = ("--service", "gate", "--namespace", "stagepass-system")


def handshake(directory: Path, name: str, *, trust: Path | None = None) -> None:
    """A whole TLS handshake of two OpenSSL ends; raises what the client thinks of the server."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(directory / "tls.crt", directory / "tls.key")
    client_side = ssl.create_default_context(cafile=trust or directory / "ca.crt")
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server, server_hostname=name)
    for end in (client, server, client, server):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"
