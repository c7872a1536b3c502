"""`stagepass policy schema`: what an editor needs to check policy files as they are written."""

from __future__ import annotations

import json

import click


@click.command()
def schema() -> int:
    """
    Print the JSON Schema (draft 2020-12) of policy documents of every kind.

    With the YAML language server: `# yaml-language-server: $schema=FILE` atop a policy file.
    """
    from stagepass.policy.jsonschema import policy_schema

    click.echo(json.dumps(policy_schema(), indent=2))
    return 0
