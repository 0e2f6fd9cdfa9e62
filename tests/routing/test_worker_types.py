"""Which worker type a text asks for."""

import pytest

from cortex_git.routing.experts import OURS
from cortex_git.routing.worker_types import choose

TYPES = {one.name: one.worker_types for one in OURS}


@pytest.mark.parametrize(
    ("expert", "text", "repo", "kind"),
    [
        ("security", "Patch the SSRF in the webhook", False, "fix-worker"),
        ("security", "Scan for vulnerable packages", True, "scan-worker"),
        ("security", "Scan for vulnerable packages", False, "fix-worker"),
        ("security", "Find vulnerable dependencies", True, "scan-worker"),
        ("security", "Audit who may read the logs", False, "analysis-worker"),
        ("security", "Fix what the audit found", False, "fix-worker"),
        ("security", "Sessions live for ever", False, "fix-worker"),
        ("development", "Add tests for the parser", False, "test-worker"),
        ("development", "Review the new cache", False, "review-worker"),
        ("development", "Open a pull request with the rename", False, "pr-worker"),
        ("development", "The button does nothing", False, "implementation-worker"),
        ("development", "Fix the failing unit tests", False, "implementation-worker"),
        ("inventory", "Which services use Redis?", True, "analysis-worker"),
        ("documentation", "Add tests to the guide", False, "documentation-worker"),
    ],
)
def test_words_choose(expert: str, text: str, repo: bool, kind: str) -> None:
    assert choose(TYPES[expert], text, repo=repo) == kind
