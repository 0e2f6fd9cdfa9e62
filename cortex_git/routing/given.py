"""What a text or its labels say outright: `type:NAME …`, `<expert>: …`, `[expert] …`, a label.

Owns those forms. `fix:` and `docs:` are no such thing: a commit's habit says little of who has to do it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cortex_git.routing import Request
from cortex_git.routing.experts import Expert

_TYPE = re.compile(r"\s*type:([A-Za-z][\w-]*)(?:\s+|$)", re.IGNORECASE)
_PREFIX = re.compile(r"\s*(?:\[\s*([A-Za-z][\w-]*)\s*\]:?|([A-Za-z][\w-]*):)(?:\s+|$)")
_GENERIC = frozenset({"bug", "enhancement", "feature", "feature-request", "performance", "regression", "ci"})
"""Labels of ours that give way to one that says more: a security hole is a bug too."""


@dataclass(frozen=True, slots=True)
class Given:
    """Who was asked for, first of all first."""

    experts: tuple[str, ...]
    worker_type: str | None
    """Where one was named."""
    reason: str
    rest: str
    """The text without what said so."""


class Naming:
    """Every name and label that decides."""

    def __init__(self, experts: Mapping[str, Expert]) -> None:
        self._names = {name: name for name in experts}
        self._types: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        for expert in experts.values():
            for kind in expert.worker_types:
                self._types.setdefault(kind, expert.name)
            self._labels.update(dict.fromkeys(expert.labels, expert.name))
        # An analysis is usually of what there is, though security has the same kind of worker.
        if "inventory" in experts and "analysis-worker" in experts["inventory"].worker_types:
            self._types["analysis-worker"] = "inventory"

    def given(self, request: Request) -> Given | None:
        """What the request says itself; None where that is nothing."""
        return self._of_text(request.text) or self._of_labels(request)

    def unknown(self, text: str) -> str | None:
        """The name after `type:` that is nobody's."""
        match = _TYPE.match(text)
        return match[1] if match and self._of_text(text) is None else None

    def _of_text(self, text: str) -> Given | None:
        match = _TYPE.match(text)
        name = match[1].lower() if match else ""
        how = f"type:{name}"
        if match is None:
            match = _PREFIX.match(text)
            if match is None:
                return None
            name = (match[1] or match[2]).lower()
            how = f"the text begins with {match[0].strip()}"
        expert = self._types.get(name) or self._names.get(name)
        if expert is None and how.startswith("type:"):
            expert = self._labels.get(name)
        if expert is None:
            return None
        kind = name if name in self._types else None
        return Given((expert,), kind, how, text[match.end() :].strip() or text)

    def _of_labels(self, request: Request) -> Given | None:
        found = [(label, self._expert_of(label)) for label in request.labels]
        named = [(label, expert) for label, expert in found if expert is not None]
        telling = [pair for pair in named if _bare(pair[0]) not in _GENERIC] or named
        if not telling:
            return None
        experts = tuple(dict.fromkeys(expert for _, expert in telling))
        labels = ", ".join(dict.fromkeys(label for label, _ in telling))
        return Given(experts, None, f"label {labels}", request.text)

    def _expert_of(self, label: str) -> str | None:
        return self._labels.get(label.strip().lower()) or self._labels.get(_bare(label))


def _bare(label: str) -> str:
    """`type: docs` and `area/docs` as `docs`."""
    return re.split(r"[:/]", label)[-1].strip().lower().replace(" ", "-")
