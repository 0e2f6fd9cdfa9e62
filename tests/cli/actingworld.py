"""Scans of a repository with two findings, and what an ignore file says of them."""

from pathlib import Path
from typing import Any

from command_line import Command, Done

ALLOW = "--allow-incomplete"
"""The starter set alone makes a scan incomplete."""
IDS = ["CVE-2020-8203", "CVE-2021-23337"]
"""Both are high."""


def scan(cortex: Command, *arguments: str | Path) -> Done:
    return cortex("multi-repo-scan", ALLOW, *arguments)


def report(cortex: Command, *arguments: str | Path) -> Any:
    return scan(cortex, "--format", "json", *arguments).json()


def ids(value: Any) -> list[str]:
    return sorted(one["id"] for row in value["repositories"] for one in row["findings"])


def entry(name: str, *more: str) -> str:
    return "\n".join(["[[ignore]]", f'id = "{name}"', 'reason = "not reached"', *more, ""])
