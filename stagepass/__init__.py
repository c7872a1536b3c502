"""Stagepass: a Kubernetes admission gate for promotions. No pass, no stage."""

__version__ = "0.1.0"
