"""`cortex-git torture`: the documents that it prints, by their schema. Hosts are tortured elsewhere."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import Command

from cortex_git.analysis.torture import torturing
from cortex_git.analysis.torture.checking import Findings
from cortex_git.analysis.torture.faults import FAULTS
from cortex_git.analysis.torture.plan import Plan, task_name
from cortex_git.analysis.torture.report import Report

Conforms = Callable[[Any, str], None]
ASKED = ("torture", "--clones", "2", "--tasks", "3", "--faults", "none", "--format", "json")


@pytest.fixture(params=["well", "lost"])
def ends(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How every torture ends, without any host."""

    def tortured(plan: Plan, folder: Path, _say: object, *, repeat: str, **_: object) -> Report:
        names = [task_name(number) for number in range(plan.tasks)]
        findings = Findings(plan.tasks, plan.tasks, runs=Counter(names), fenced=1)
        report = Report(plan, findings, {"clock": 2}, 3.5, repeat, folder=str(folder))
        if request.param == "lost":
            findings.lost, findings.results = [names[0]], plan.tasks - 1
            report.histories = {names[0]: ["0.1 h00 claimed it"]}
            report.waiting = {"h01": 1}
        return report

    monkeypatch.setattr(torturing, "torture", tortured)
    return str(request.param)


def test_a_run_is_told_as_its_schema_says(cortex: Command, conforms: Conforms, ends: str) -> None:
    done = cortex(*ASKED)
    told = done.json()
    conforms(told, "torture")
    assert (done.code, told["lost"]) == ((1, 1) if ends == "lost" else (0, 0))
    assert not conforms_without(told, "results", conforms)


def test_many_runs_are_told_as_the_schema_says(cortex: Command, conforms: Conforms, ends: str) -> None:
    done = cortex(*ASKED, "--minutes", "0")
    told = done.json()
    conforms(told, "torture")
    assert (done.code, len(told["runs"]), told["failed"]) == ((1, 1, 1) if ends == "lost" else (0, 1, 0))
    del told["runs"][0]["problems"]
    assert not conforms_without(told, None, conforms)


def test_a_plan_is_told_as_the_schema_says(cortex: Command, conforms: Conforms) -> None:
    told = cortex("torture", "--clones", "2", "--tasks", "9", "--dry-run", "--format", "json").json()
    conforms(told, "torture")
    assert told["plan"]["faults"] == list(FAULTS)


def test_the_help_says_where_the_faults_are_named(cortex: Command) -> None:
    assert "docs/torture.md" in cortex("torture", "--help").out
    refused = cortex("torture", "--faults", "help").error(2)
    assert all(name in refused for name in FAULTS)


def conforms_without(document: dict[str, Any], key: str | None, conforms: Conforms) -> bool:
    """Whether the schema would take the document without a key, too."""
    import jsonschema

    try:
        conforms({name: value for name, value in document.items() if name != key}, "torture")
    except jsonschema.ValidationError:
        return False
    return True
