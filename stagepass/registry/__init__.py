"""
Asking an OCI registry for evidence and giving it some.

What lives here may open sockets, and nothing else in the core may: it is the only importer of
http.client and ssl, so a command that asks no registry does not load it.
"""
