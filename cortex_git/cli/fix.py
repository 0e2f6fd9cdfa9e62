"""`multi-repo-fix`: upgrade a vulnerable dependency in every repository that has it."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cortex_git.cli.options import DryRunOption, LogFormatOption, RepositoryOption


class FixFormat(StrEnum):
    """How a campaign is reported."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("multi-repo-fix", short_help="Upgrade a vulnerable dependency in every affected repository.")(
        multi_repo_fix
    )


def multi_repo_fix(
    advisory: Annotated[
        list[str] | None, typer.Option("--advisory", "-a", metavar="ID", help="CVE, GHSA or other id.")
    ] = None,
    scan: Annotated[
        str | None, typer.Option("--scan", metavar="BATCH", help="The scan to go by (default: the newest).")
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option("--match", metavar="GLOB", help="Only repositories of such a name.")
    ] = None,
    ref: Annotated[
        str | None, typer.Option("--ref", help="Branch to start from (default: what was scanned).")
    ] = None,
    runner: Annotated[str, typer.Option("--runner", help="bump, or an agent: claude, openai.")] = "bump",
    workers: Annotated[int, typer.Option("--workers", "-n", min=1, max=64, help="Workers at once.")] = 8,
    test: Annotated[
        list[str] | None,
        typer.Option(
            "--test", metavar="COMMAND", help="Run after the upgrade; its failure is a failed task."
        ),
    ] = None,
    pass_env: Annotated[
        list[str] | None,
        typer.Option("--pass-env", metavar="NAME", help="Variable of yours that package managers get."),
    ] = None,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Name of the campaign (default: a new one).")
    ] = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="BATCH", help="Go on with a campaign, and report on it.")
    ] = None,
    report_format: Annotated[
        FixFormat, typer.Option("--format", help="Form of the report.")
    ] = FixFormat.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the report here.")
    ] = None,
    repository: RepositoryOption = None,
    _log_format: LogFormatOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Upgrade a vulnerable dependency in every repository that a scan found it in.

    Each gets a branch of its own, pushed and never merged, and the text of a change request.
    """
    from cortex_git.cli.batch_progress import batch_watcher
    from cortex_git.cli.ending import end_batch
    from cortex_git.cli.events import tell
    from cortex_git.cli.fix_view import show_campaign, show_plan, words_of
    from cortex_git.cli.output import check_file, note
    from cortex_git.errors import BadInput
    from cortex_git.results.fix_summary import ENOUGH
    from cortex_git.services import open_or_embedded
    from cortex_git.services.fixing import (
        BUMP,
        Campaign,
        affected,
        campaign_batch,
        campaign_rows,
        resumed,
        run_campaign,
        scan_to_go_by,
    )
    from cortex_git.store.index import Scope
    from cortex_git.workers.events import batch_started

    if output is not None:
        check_file(output)
    if (resume is None) == (not advisory):
        raise BadInput("name what to fix", "give --advisory ID, or --resume BATCH alone")
    campaign = Campaign(
        advisories=tuple(advisory or ()),
        scan=scan,
        match=tuple(match or ()),
        runner=runner,
        batch=batch,
        resume=resume,
        workers=workers,
        tests=tuple(words_of(text) for text in test or ()),
        variables=tuple(pass_env or ()),
        ref=ref,
    )
    coordination = open_or_embedded(repository)
    coordination.pull()
    if resume is not None:
        chosen = resumed(coordination, resume)
    else:
        by = scan_to_go_by(coordination, scan)
        found = affected(coordination, by, campaign)
        if dry_run or not found:
            show_plan(found, campaign, by.batch, report_format.value, dry_run=dry_run)
            return
        chosen = campaign_batch(coordination, campaign, found)
    todo = coordination.open_count(Scope(batch=chosen.batch))
    if dry_run:
        note(f"would go on with {todo} open tasks of {chosen.batch}")
        return
    if runner != BUMP:
        note(f"{todo} tasks for agents: run `cortex-git spawn-workers --batch {chosen.batch}`, "
             f"then `cortex-git multi-repo-fix --resume {chosen.batch}`")  # fmt: skip
        show_campaign(campaign_rows(coordination, chosen), chosen, report_format.value, output)
        return
    text = f"batch {chosen.batch}: {todo} repositories (if stopped: --resume {chosen.batch})"
    tell(batch_started(text, todo, workers, chosen.batch))
    with batch_watcher(todo) as progress:
        rows, ended = run_campaign(coordination, chosen, campaign, progress)
    show_campaign(rows, chosen, report_format.value, output)
    if ended.report.interrupted:
        note(f"interrupted; go on with --resume {chosen.batch}")
    end_batch(ended, failed=any(row.status not in ENOUGH for row in rows))
