"""`budget show`, `set`, `history` and `reclaim` as a person runs them."""

import json
import shutil
from pathlib import Path

import jsonschema
from gitworld import CHECKOUT, cortex

from cortex_git.limits.ledger import Ledger
from cortex_git.llm import Usage
from cortex_git.store.repository import open_repository


def schema(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((CHECKOUT / f"docs/schemas/{name}-1.json").read_text())
    return found


def test_from_the_settings_to_a_spent_limit(host: Path, bare: Path) -> None:
    done = cortex("budget", "show", "--format", "json", cwd=host)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    jsonschema.validate(shown, schema("budget-show"))
    assert shown["token_budget"] == {"total": 1_000_000, "allocated": 0, "in_use": 0, "available": 1_000_000}
    jsonschema.validate(
        json.loads((host / "coordination/token-budget.json").read_text()), schema("token-budget")
    )

    repository = open_repository(host)
    ledger = Ledger(repository.durable_state, repository.host)
    ledger.grant({"total": 500})
    ledger.allocate("n", task="t", batch="b", master="m", worker="w", tokens=500, accounts=["total"])
    ledger.settle(ledger.reserve("n", 400, model="small", provider="claude"), Usage(input=300, output=50))

    dry = cortex("budget", "set", "--total", "300", "--dry-run", cwd=host)
    assert "total to 300" in dry.stderr
    done = cortex("budget", "set", "--total", "300", "--batch", "b=none", "--format", "json", cwd=host)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["limits"]["total"] == 300
    jsonschema.validate(json.loads(done.stdout), schema("budget-set"))

    shutil.move(bare, f"{bare}.away")
    done = cortex("budget", "show", "--format", "json", cwd=host)
    assert done.returncode == 4
    shown = json.loads(done.stdout)
    jsonschema.validate(shown, schema("budget-show"))
    assert shown["problem"] and "does not answer" in done.stderr
    assert (shown["level"], shown["token_budget"]["available"]) == ("out", 0)

    done = cortex("budget", "history", "--format", "json", cwd=host)
    found = json.loads(done.stdout)
    jsonschema.validate(found, schema("budget-history"))
    assert [(row["model"], row["total"]) for row in found["spending"]] == [("small", 350)]


def test_what_cannot_be_set_or_reclaimed(host: Path) -> None:
    huge = f"set --total 1{18 * '0'}"
    for arguments in ("set", "set --daily many", "set --batch b", "reclaim nobody", huge):
        assert cortex("budget", *arguments.split(), cwd=host).returncode == 2, arguments
    assert cortex("budget", "show", cwd=host).returncode == 0, "what could not be read again is not written"
    own = open_repository(host).host
    assert "this host" in cortex("budget", "reclaim", own, cwd=host).stderr
