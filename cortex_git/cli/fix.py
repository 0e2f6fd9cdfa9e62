"""`multi-repo-fix`: upgrade a vulnerable dependency in every repository that has it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import DocumentFormat, DryRunOption, LogFormatOption, RepositoryOption

if TYPE_CHECKING:
    from cortex_git.models import Batch
    from cortex_git.results.fix_summary import FixRow
    from cortex_git.services.fixing import Campaign
    from cortex_git.store.coordination import Coordination


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
        list[str] | None,
        typer.Option(
            "--match", metavar="GLOB", help="Only repositories whose name, or its last part, matches."
        ),
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
        DocumentFormat, typer.Option("--format", help="Form of the report.")
    ] = DocumentFormat.TABLE,
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
    from cortex_git.cli.fix_view import words_of
    from cortex_git.cli.output import STDOUT, check_file
    from cortex_git.errors import BadInput
    from cortex_git.runners import load_runner
    from cortex_git.services import open_or_embedded
    from cortex_git.services.fixing import BUMP, Campaign, resumed

    if output == STDOUT:
        output = None
    elif output is not None:
        check_file(output)
    if (resume is None) == (not advisory):
        raise BadInput("name what to fix", "give --advisory ID, or --resume BATCH alone")
    if resume is not None and (scan or match or ref or batch or runner != BUMP):
        raise BadInput("a campaign is resumed as it was made", "leave out what chooses or names it")
    load_runner(runner)
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
    earlier: Sequence[FixRow] = ()
    if resume is not None:
        chosen: Batch | None = resumed(coordination, resume)
    else:
        chosen, earlier = _made(coordination, campaign, report_format.value, output, dry_run=dry_run)
    if chosen is not None:
        _carry_out(coordination, chosen, campaign, report_format.value, output, earlier, dry_run=dry_run)


def _made(
    coordination: "Coordination", campaign: "Campaign", form: str, output: Path | None, *, dry_run: bool
) -> "tuple[Batch | None, Sequence[FixRow]]":
    """A new campaign; None where there is nothing to do, or nothing is to be done, and that was said.

    With the rows of earlier campaigns that stand for repositories of this one.
    """
    from dataclasses import replace

    from cortex_git.cli.fix_view import note_earlier, show_campaign, show_plan
    from cortex_git.cli.output import note
    from cortex_git.errors import ExitCode
    from cortex_git.pages.text import counted
    from cortex_git.results.fix_summary import ENOUGH
    from cortex_git.services.fix_earlier import name_of, without_earlier
    from cortex_git.services.fixing import affected, campaign_batch, refuse_unknown, scan_to_go_by

    scan = scan_to_go_by(coordination, campaign.scan)
    found = affected(coordination, scan, campaign)
    refuse_unknown(campaign, found)
    if found.unsure:
        amount = counted(found.unsure, "repository", "repositories")
        note(f"of {scan.batch}, {amount} not scanned whole may be affected, too")
    if not found.affected:
        note(f"no repository of {scan.batch} has {', '.join(campaign.advisories)}")
    earlier = without_earlier(coordination, found.affected)
    note_earlier(earlier.rows)
    if dry_run:
        show_plan(earlier.left, campaign, scan.batch, form, output)
    elif earlier.left:
        named = replace(campaign, derived=name_of(campaign, scan.batch, earlier))
        return campaign_batch(coordination, named, earlier.left), earlier.rows
    else:
        show_campaign(earlier.rows, campaign.advisories, "", form, output)
        if any(row.status not in ENOUGH for row in earlier.rows):
            raise typer.Exit(ExitCode.FINDINGS)
    return None, ()


def _carry_out(
    coordination: "Coordination",
    chosen: "Batch",
    campaign: "Campaign",
    form: str,
    output: Path | None,
    earlier: "Sequence[FixRow]",
    *,
    dry_run: bool,
) -> None:
    """Run what is open of a campaign, report on all of it, and exit with the status that it has."""
    from cortex_git.cli.batch_progress import batch_watcher
    from cortex_git.cli.ending import end_batch
    from cortex_git.cli.events import tell
    from cortex_git.cli.fix_view import show_campaign
    from cortex_git.cli.output import note
    from cortex_git.errors import ExitCode
    from cortex_git.pages.text import counted
    from cortex_git.results.fix_summary import ENOUGH
    from cortex_git.services.fixing import advisories_of, campaign_rows, is_for_agents, run_campaign
    from cortex_git.store.index import Scope
    from cortex_git.workers.events import batch_started

    name, told = chosen.batch, advisories_of(chosen)
    todo = coordination.open_count(Scope(batch=name))
    if dry_run:
        note(f"would go on with {todo} open tasks of {name}")
        return
    if is_for_agents(chosen):
        if todo:
            note(f"{todo} tasks for agents: run `cortex-git spawn-workers --batch {name}`, "
                 f"then `cortex-git multi-repo-fix --resume {name}`")  # fmt: skip
        rows = [*earlier, *campaign_rows(coordination, chosen)]
        show_campaign(rows, told, name, form, output)
        if campaign.resume is not None and any(row.status not in ENOUGH for row in rows):
            raise typer.Exit(ExitCode.FINDINGS)
        return
    made_with = chosen.options.get("tests", 0)
    if campaign.resume is not None and todo and made_with != len(campaign.tests):
        note(f"it was made with {made_with} --test, which are not kept: the rest gets {len(campaign.tests)}")
    text = f"batch {name}: {counted(todo, 'repository', 'repositories')} (if stopped: --resume {name})"
    tell(batch_started(text, todo, campaign.workers, name))
    with batch_watcher(todo) as progress:
        own, ended = run_campaign(coordination, chosen, campaign, progress)
    rows = [*earlier, *own]
    show_campaign(rows, told, name, form, output)
    if ended.report.interrupted:
        note(f"interrupted; go on with --resume {name}")
    end_batch(ended, failed=any(row.status not in ENOUGH for row in rows))
