"""
The Git-pull applier: one control loop per cluster that applies only what holds its passes.

Fetch, render, decide, plan, apply, watch, sign; what cannot be applied becomes a dead letter.
"""
