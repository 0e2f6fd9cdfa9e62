"""Fuzzing: what comes from outside may be anything, and costs nobody more than a refusal."""
