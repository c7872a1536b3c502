"""`python -m bench`: what the gate costs beside what it could cost at least, measured side by side."""
