"""What a torture came to, as figures and problems.

Owns what counts as a problem, and the report's JSON.
"""

from dataclasses import dataclass, field
from typing import Any

from cortex_git.analysis.torture.checking import Findings
from cortex_git.analysis.torture.faults import SUSPICIOUS
from cortex_git.analysis.torture.plan import Plan, task_name


@dataclass
class Report:
    """What a torture came to."""

    plan: Plan
    findings: Findings
    faults: dict[str, int]
    """How often each requested fault was really done; 0 shows that it never struck."""
    wall_s: float
    repeat: str
    """The command that runs the same plan again."""
    histories: dict[str, list[str]] = field(default_factory=dict)
    """For each task with a problem, what led to it."""
    internal_errors: list[str] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    """Hosts whose outbox still held results in the end, and how many."""
    folder: str | None = None
    race: str | None = None
    """The race whose plan this was; None for the plan of a seed."""
    missed: int = 0
    """How often a fault waited in vain for what another host was to do."""
    directed: list[dict[str, Any]] = field(default_factory=list)
    """What came of the races that were run before."""

    @property
    def problems(self) -> dict[str, str]:
        found = self.findings.problems()
        if not any(self.faults.get(fault) for fault in SUSPICIOUS):
            found = {**self.findings.runs_again, **found}
        for number, text in enumerate(self.internal_errors):
            found[f"internal-error-{number + 1}"] = text
        return found

    @property
    def failed(self) -> bool:
        return bool(self.problems)

    def to_json(self) -> dict[str, Any]:
        found = self.findings
        runs = [found.runs[task_name(number)] for number in range(found.tasks)]
        return {
            "seed": self.plan.seed,
            "race": self.race,
            "clones": self.plan.clones,
            "tasks": found.tasks,
            "results": found.results,
            "lost": len(found.lost),
            "duplicates": len(found.duplicates),
            "double_runs": len(found.double_runs),
            "fenced": found.fenced,
            "takeovers": found.takeovers,
            "faults": self.faults,
            "runs_per_task": {
                "mean": round(sum(runs) / max(found.tasks, 1), 3),
                "most": max(runs, default=0),
                "least": min(runs, default=0),
            },
            "without_run": found.without_run,
            "wall_s": round(self.wall_s, 1),
            "fsck": "; ".join(found.unsound) or "clean",
            "transports": ["file"],
            "claims_left": found.claims_explained,
            "waiting": self.waiting,
            "directed": self.directed,
            "problems": self.problems,
            "histories": self.histories,
            "repeat": self.repeat,
            "folder": self.folder,
        }
