"""The main job: `multi-repo-scan`."""

from enum import StrEnum
from typing import Annotated

import typer

from cortex_git.cli.options import DryRunOption, LogFormatOption, RepositoryOption
from cortex_git.cli.scan_acting import (
    BaselineOption,
    ByVoteOption,
    FailOnKevOption,
    IgnoreFileOption,
    OutputsOption,
    ScannerOption,
    SecretsOption,
    VexOption,
)
from cortex_git.cli.source_options import (
    ArchivedOption,
    BranchesOption,
    CloneBy,
    CloneByOption,
    ExcludeOption,
    ForksOption,
    GithubOption,
    GithubUrlOption,
    GitlabOption,
    GitlabUrlOption,
    LanguageOption,
    MatchOption,
    PerHostOption,
    PushedSinceOption,
    RefOption,
    ReposFileOption,
    RootOption,
    SbomOption,
    TagsOption,
    UseTokenOption,
)


class ReportFormat(StrEnum):
    """How a scan is reported."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"
    MARKDOWN = "markdown"
    HTML = "html"
    CSV = "csv"
    CYCLONEDX_VEX = "cyclonedx-vex"
    GITHUB = "github"


class GroupBy(StrEnum):
    """What the findings are listed by."""

    FINDING = "finding"
    ADVISORY = "advisory"


class Severity(StrEnum):
    """Least severity that makes the exit status 1."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    UNKNOWN = "unknown"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("multi-repo-scan", short_help="Find the known-vulnerable dependencies of repositories.")(
        multi_repo_scan
    )


def multi_repo_scan(
    repositories: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="REPO", help="Paths and URLs, each with an optional @ref.", show_default=False
        ),
    ] = None,
    parallel: Annotated[
        bool, typer.Option("--parallel/--sequential", help="Many at once, or one by one.")
    ] = True,
    workers: Annotated[int, typer.Option("--workers", "-n", min=1, max=64, help="Workers at once.")] = 20,
    repos_file: ReposFileOption = None,
    root: RootOption = None,
    sbom: SbomOption = None,
    github: GithubOption = None,
    gitlab: GitlabOption = None,
    github_url: GithubUrlOption = None,
    gitlab_url: GitlabUrlOption = None,
    use_token: UseTokenOption = False,
    clone_by: CloneByOption = CloneBy.HTTPS,
    match: MatchOption = None,
    exclude: ExcludeOption = None,
    language: LanguageOption = None,
    archived: ArchivedOption = False,
    forks: ForksOption = False,
    pushed_since: PushedSinceOption = None,
    ref: RefOption = None,
    branches: BranchesOption = None,
    tags: TagsOption = None,
    per_host: PerHostOption = 8,
    sample: Annotated[bool, typer.Option("--sample", help="Make and scan 20 sample repositories.")] = False,
    report_format: Annotated[
        ReportFormat | None,
        typer.Option(
            "--format",
            help="Form of the report (default: a table, and for --output what its ending says).",
            show_default=False,
        ),
    ] = None,
    output: OutputsOption = None,
    fail_on: Annotated[
        Severity | None, typer.Option("--fail-on", help="Exit with 1 for findings at or above this severity.")
    ] = None,
    fail_on_kev: FailOnKevOption = False,
    baseline: BaselineOption = None,
    ignore_file: IgnoreFileOption = None,
    vex: VexOption = None,
    scanner: ScannerOption = None,
    by_vote: ByVoteOption = False,
    secrets: SecretsOption = False,
    allow_incomplete: Annotated[
        bool,
        typer.Option(
            "--allow-incomplete",
            help="Exit with 0 although something was not scanned (an ignore file accepts single gaps).",
        ),
    ] = False,
    group_by: Annotated[
        GroupBy,
        typer.Option(
            "--group-by", help="List findings, or which repositories need what (table, Markdown, HTML)."
        ),
    ] = GroupBy.FINDING,
    show_all: Annotated[bool, typer.Option("--all", help="List every finding in the table.")] = False,
    batch: Annotated[
        str | None, typer.Option("--batch", help="Name of the batch (default: a new one).")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="BATCH",
            help="Go on with a batch, or `last`. With repositories, a batch that is not there is begun.",
        ),
    ] = None,
    changed_since: Annotated[
        str | None,
        typer.Option(
            "--changed-since",
            metavar="BATCH",
            help="Scan only what changed since a batch, 24h, a date or, by default, `last`.",
        ),
    ] = None,
    rescan: Annotated[
        bool, typer.Option("--rescan", help="Scan all, also what has not changed since the last time.")
    ] = False,
    askpass: Annotated[
        str | None,
        typer.Option("--askpass", metavar="PROGRAM", help="Answers git's questions for credentials."),
    ] = None,
    credential_helper: Annotated[
        str | None,
        typer.Option("--credential-helper", metavar="HELPER", help="git credential helper to use."),
    ] = None,
    repository: RepositoryOption = None,
    _log_format: LogFormatOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Find the known-vulnerable dependencies of many repositories at once."""
    from dataclasses import replace

    from cortex_git.cli.events import tell
    from cortex_git.cli.output import check_file, note
    from cortex_git.cli.scan_acting import read_all, refuse_vain
    from cortex_git.cli.scan_plan import show_plan
    from cortex_git.cli.scan_run import exit_code, gather, said, show_report, since_of, watch
    from cortex_git.cli.source_options import filters_of, owners_of
    from cortex_git.scan.others.programs import chosen
    from cortex_git.services import open_if_there, open_or_embedded
    from cortex_git.services.acting import act, refuse_own, with_batch
    from cortex_git.services.clocks import noted
    from cortex_git.services.scan_plan import planned
    from cortex_git.services.scan_request import ScanRequest
    from cortex_git.services.scan_sources import SourceRequest, checked_askpass
    from cortex_git.services.scans import prepare_batch, run_scan
    from cortex_git.workers.events import batch_started

    for file in output or []:
        check_file(file)
    askpass = checked_askpass(askpass)
    scanners = chosen(scanner or [])
    refuse_vain(
        by_vote=by_vote,
        scanners=scanners,
        resume=resume,
        grouped=group_by is GroupBy.ADVISORY,
        outputs=output or [],
        chosen=report_format.value if report_format else None,
    )
    judgements = read_all(ignore_file or [], vex or [], baseline, needs_kev=fail_on_kev)
    meant = SourceRequest(
        repositories=repositories or [],
        repos_file=repos_file,
        root=root,
        bills=sbom or [],
        owners=owners_of(github, gitlab, clone_by),
        github_url=github_url,
        gitlab_url=gitlab_url,
        use_token=use_token,
        filters=filters_of(match, exclude, language, pushed_since, archived=archived, forks=forks),
        ref=ref,
        branches=branches or [],
        tags=tags or [],
        per_host=per_host,
        askpass=askpass,
        helper=credential_helper,
    )
    found = gather(meant, sample=sample)
    sources = found.sources
    request = ScanRequest(
        sources=sources,
        workers=workers,
        mode="parallel" if parallel else "sequential",
        sample=sample,
        batch=batch,
        resume=resume,
        changed_since=since_of(changed_since),
        rescan=rescan,
        askpass=askpass,
        helper=credential_helper,
        tokens=found.tokens,
        per_host=per_host,
        scanners=scanners,
        secrets=secrets,
        not_looked_into=found.gaps,
        notes=tuple(found.notes),
    )
    if dry_run:
        coordination = open_if_there(repository)
        judgements = with_batch(
            judgements, coordination, resume, sources=sources, sample=sample, secrets=secrets
        )
        refuse_own(judgements, resume or batch or "")
        plan = planned(coordination, request, note)
        show_plan(request, plan, as_json=report_format is ReportFormat.JSON)
        return
    coordination = open_or_embedded(repository)
    judgements = with_batch(judgements, coordination, resume, sources=sources, sample=sample, secrets=secrets)
    prepared = prepare_batch(coordination, request, note)
    refuse_own(judgements, prepared.batch)
    tell(batch_started(said(prepared), prepared.tasks, workers if parallel else 1, prepared.batch))
    with watch(prepared.tasks) as watcher:
        report, ended = run_scan(coordination, prepared, request, watcher)
    report = noted(act(report, judgements, by_vote=by_vote), coordination)
    report = replace(report, grouped=group_by is GroupBy.ADVISORY)
    form = report_format.value if report_format else None
    written = show_report(report, form, output or [], show_all=show_all)
    least = fail_on.value if fail_on else None
    code = exit_code(
        report, ended, least, fail_on_kev=fail_on_kev, allow_incomplete=allow_incomplete, written=written
    )
    if code:
        raise typer.Exit(code)
