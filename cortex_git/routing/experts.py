"""The experts: our four, what a repository's settings change in them, and those it adds.

Owns who there is. An expert of a repository's own is words, labels and examples in its settings, no code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from cortex_git.config import ExpertSettings, Settings
from cortex_git.errors import BadInput
from cortex_git.routing.worker_types import NAMES

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_USUAL = ("analysis-worker",)
"""Of an expert whose settings name no worker type: it looks and reports, and changes nothing."""


@dataclass(frozen=True, slots=True)
class Expert:
    """Somebody that work can be handed to."""

    name: str
    master: str
    worker_types: tuple[str, ...]
    """The first is the usual one."""
    labels: tuple[str, ...] = ()
    """In lower case; each decides outright."""
    runner: str = ""
    """Empty: the worker type's own."""
    budget: int | None = None
    """Tokens; None: the worker type's."""
    keywords: Mapping[str, float] | None = None
    """By settings, beside those of `data/keywords.toml`."""
    examples: tuple[str, ...] = ()
    """By settings, beside the training data."""


OURS = (
    Expert(
        "security",
        "security-master",
        ("fix-worker", "scan-worker", "analysis-worker"),
        ("security", "vulnerability", "cve", "security-fix", "hardening"),
    ),
    Expert(
        "development",
        "development-master",
        ("implementation-worker", "test-worker", "review-worker", "pr-worker"),
        (
            "development", "bug", "enhancement", "feature", "feature-request", "test", "tests", "testing",
            "refactor", "refactoring", "performance", "regression", "ci",
        ),
    ),
    Expert(
        "inventory",
        "inventory-master",
        ("analysis-worker",),
        ("inventory", "dependencies", "dependency", "deps", "sbom", "license", "licence", "licensing"),
    ),
    Expert(
        "documentation",
        "documentation-master",
        ("documentation-worker",),
        ("documentation", "docs", "doc", "readme", "changelog", "typo"),
    ),
)  # fmt: skip

OUR_NAMES = tuple(expert.name for expert in OURS)
"""Those that the packaged model and sentences know."""


def experts_of(settings: Settings) -> dict[str, Expert]:
    """Every expert by name, ours first. Raises BadInput that names the setting at fault."""
    found = {expert.name: expert for expert in OURS}
    for name, given in settings.experts.items():
        found[name] = _changed(found[name], given) if name in found else _made(name, given)
    if settings.routing.general not in found:
        raise BadInput(
            f"routing.general: there is no expert {settings.routing.general!r}",
            f"use one of {', '.join(found)}",
        )
    return found


def _made(name: str, given: ExpertSettings) -> Expert:
    if not _NAME.fullmatch(name) or name in NAMES or name == "type":
        raise BadInput(
            f"experts.{name}: not a usable name", "use a-z, 0-9 and -, starting with a letter, no worker type"
        )
    if not given.examples and not any(weight > 0 for weight in given.keywords.values()):
        raise BadInput(
            f"experts.{name}: nothing says what is for it",
            "give it examples, or keywords with weights above 0",
        )
    return _changed(Expert(name, f"{name}-master", _USUAL, (name,)), given)


def _changed(expert: Expert, given: ExpertSettings) -> Expert:
    unknown = [kind for kind in given.worker_types if kind not in NAMES]
    if unknown:
        raise BadInput(
            f"experts.{expert.name}.worker_types: no worker type {unknown[0]!r}", f"use {', '.join(NAMES)}"
        )
    if not all(word.strip() for word in [*given.keywords, *given.examples, *given.labels]):
        raise BadInput(f"experts.{expert.name}: an empty keyword, example or label", "remove it")
    return replace(
        expert,
        master=given.master or expert.master,
        worker_types=tuple(given.worker_types) or expert.worker_types,
        labels=expert.labels + tuple(label.strip().lower() for label in given.labels),
        runner=given.runner or expert.runner,
        budget=expert.budget if given.budget is None else given.budget,
        keywords=dict(given.keywords) or expert.keywords,
        examples=expert.examples + tuple(given.examples),
    )
