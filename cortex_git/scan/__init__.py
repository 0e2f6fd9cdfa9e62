"""Scanning repositories for known-vulnerable dependencies; knows nothing of the coordination store."""
