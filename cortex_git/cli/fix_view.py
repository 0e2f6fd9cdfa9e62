"""How a fix campaign is shown: what it would do, and what came of it."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortex_git.cli.output import (
    json_text,
    note,
    print_line,
    print_table,
    write_document,
    write_file,
)
from cortex_git.errors import BadInput
from cortex_git.pages.text import counted
from cortex_git.results.fix_summary import STATUSES, FixRow
from cortex_git.runners.bump.change_request import new_ones
from cortex_git.runners.bump.tools import Need, tool_for
from cortex_git.scan.lockfiles import kind_of
from cortex_git.services.fixing import BUMP

if TYPE_CHECKING:
    from cortex_git.services.fixing import Affected, Campaign

_WORDS = {"clean": "nothing left to fix", "tests_failed": "tests failed"}


def words_of(text: str) -> list[str]:
    """A command that a person gave, as words; there is no shell. Raises BadInput."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadInput(f"--test {text!r} cannot be read: {error}", "quote it as for a shell") from None
    if not words:
        raise BadInput("--test without a command", 'give one, such as --test "npm test"')
    return words


def show_plan(
    found: "Sequence[Affected]", campaign: "Campaign", scan: str, form: str, output: Path | None
) -> None:
    """What would be upgraded where, and with what: a document in JSON or Markdown, else a table."""
    if found:
        amount = counted(len(found), "repository", "repositories")
        note(f"would upgrade {amount} of {scan} with {campaign.runner}")
    rows = [(one.source.repo, f, _upgrader(f.lockfile, campaign)) for one in found for f in one.findings]
    if form == "json":
        _give(
            json_text({
                "dry_run": True,
                "scan": scan,
                "repositories": [
                    {
                        "repo": repo, "package": f.package, "version": f.version, "fixed": f.fixed,
                        "lockfile": f.lockfile, "id": f.id,
                        "with": program,
                    }
                    for repo, f, program in rows
                ],
            }),
            output,
        )  # fmt: skip
        return
    heads = ("Repository", "Package", "Pinned", "Fixed in", "Lockfile", "Advisory", "With")
    cells = [
        (repo, f.package, f.version, f.fixed or "none", f.lockfile, f.id, program or "nobody")
        for repo, f, program in rows
    ]
    if form == "markdown":
        _give("\n".join(_markdown_table(heads, cells)) + "\n", output)
    elif rows:
        print_table(heads, cells, "")


def _upgrader(lockfile: str, campaign: "Campaign") -> str | None:
    """The program that would be asked; None where there is none for such a lockfile."""
    if campaign.runner != BUMP:
        return campaign.runner
    if kind_of(lockfile) == "requirements":
        return "the text of its pins"
    tool = tool_for(lockfile, b"__metadata:")
    return tool.commands(Need("any", {"1": "2"}, "2", [""]))[0][0] if tool else None


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    from cortex_git.scan.reports.escape import markdown_cell

    lines = [heads, ["---"] * len(heads), *([markdown_cell(cell) for cell in row] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def note_earlier(rows: Sequence[FixRow]) -> None:
    """Say which repositories are left alone, because an earlier campaign has them."""
    of = Counter((row.task.rpartition("-")[0], row.branch is not None) for row in rows)
    for (campaign, has_branch), count in of.items():
        amount = counted(count, "repository", "repositories")
        if has_branch:
            note(
                f"{amount} left alone: campaign {campaign} made a branch, which is there still"
                f" (merge or delete it; --resume {campaign} gives its text again)"
            )
        else:
            note(f"{amount} left alone: campaign {campaign} is not done; go on with --resume {campaign}")


def show_campaign(
    rows: Sequence[FixRow], advisories: Sequence[str], batch: str, form: str, output: Path | None
) -> None:
    """The rows, and how many there are of each kind; with `output`, only the latter is printed."""
    if form == "table" and output is None:
        cells = [(row.repo, _said(row.status), _upgrades(row), row.branch, _why(row)) for row in rows]
        print_table(("Repository", "Status", "Upgraded", "Branch", "Left"), cells, "no repository")
        print_line(summary(rows))
        return
    _give(json_text(document(rows, advisories, batch)) if form == "json" else markdown(rows, batch), output)
    if output is not None:
        print_line(summary(rows))


def _give(text: str, output: Path | None) -> None:
    if output is None:
        write_document(text)
        return
    write_file(output, text)
    note(f"report written to {output}")


def document(rows: Sequence[FixRow], advisories: Sequence[str], batch: str) -> dict[str, Any]:
    """The campaign as JSON values."""
    counts = Counter(row.status for row in rows)
    return {
        "batch": batch,
        "advisories": list(advisories),
        "repositories": len(rows),
        "status": {status: counts[status] for status in STATUSES},
        "rows": [row.to_json() for row in rows],
    }


def summary(rows: Sequence[FixRow]) -> str:
    """One line: how many repositories there are of each status that occurs."""
    counts = Counter(row.status for row in rows)
    parts = [f"{_said(status)}: {counts[status]}" for status in STATUSES if counts[status]]
    return ", ".join((f"Repositories: {len(rows)}", *parts))


def markdown(rows: Sequence[FixRow], batch: str) -> str:
    """The roll-up, then the text of each change request."""
    from cortex_git.scan.reports.escape import markdown_code, visible

    lines = [f"# Fix campaign {markdown_code(batch)}", "", summary(rows), ""]
    cells = [(row.repo, _said(row.status), _upgrades(row), row.branch or "", _why(row)) for row in rows]
    lines += _markdown_table(("Repository", "Status", "Upgraded", "Branch", "Left"), cells)
    for row in rows:
        if row.branch and row.body:
            lines += ["", f"## {markdown_code(row.repo)}", "", f"Branch {markdown_code(row.branch)}", ""]
            lines += [markdown_code(row.title), "", *map(visible, row.body.splitlines())]
    return "\n".join(lines) + "\n"


def _said(status: str) -> str:
    return _WORDS.get(status, status)


def _upgrades(row: FixRow) -> str:
    parts = [f"{u['package']} {', '.join(new_ones(u['from'], u['to'])) or 'gone'}" for u in row.upgrades]
    return "; ".join(dict.fromkeys(parts))


def _why(row: FixRow) -> str:
    parts = [f"{one['package']}: {one['reason']}" for one in row.left]
    return "; ".join(dict.fromkeys(parts)) or (row.error or "")
