"""
The command line: click in, exit codes out. Nothing here decides.

Each command imports what it needs when it runs: `--version` stays as quick as click itself, and a
keyed command never loads what only a registry or a terminal table needs.
"""
