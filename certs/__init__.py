"""
The webhook's serving certificate: issue it, rotate it, tell the API server which CA to trust.

An application, run from a clone as `python -m certs` and never installed. Here may live what reads
and writes X.509 files and the `caBundle` of a manifest; nothing here decides about an image, opens
a socket or talks to a cluster. Keys stay out of Git: `.gitignore` lets only sources through.
"""
