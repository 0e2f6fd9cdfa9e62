"""The options that say which repositories a command means, in one panel of its help."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cortex_git.scan.sources.candidates import Owner
    from cortex_git.scan.sources.filters import Filters


class CloneBy(StrEnum):
    """How listed repositories are fetched."""

    HTTPS = "https"
    SSH = "ssh"


ReposFileOption = Annotated[
    str | None,
    typer.Option(
        "--repos-file",
        metavar="FILE",
        help="Repositories, one a line, # comments (- for stdin); or YAML or JSON.",
        show_default=False,
    ),
]
SbomOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sbom",
        metavar="FILE",
        help="Scan a CycloneDX or SPDX file by itself.",
        show_default=False,
    ),
]
RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root",
        metavar="DIR",
        help="Scan every checkout below DIR.",
        show_default=False,
    ),
]
GithubOption = Annotated[
    list[str] | None,
    typer.Option(
        "--github",
        metavar="OWNER",
        help="All of a GitHub organisation or user (token: $GITHUB_TOKEN or $GH_TOKEN).",
        show_default=False,
    ),
]
GitlabOption = Annotated[
    list[str] | None,
    typer.Option(
        "--gitlab",
        metavar="GROUP",
        help="All of a GitLab group with its subgroups, or of a user (token: $GITLAB_TOKEN).",
        show_default=False,
    ),
]
GithubUrlOption = Annotated[
    str | None,
    typer.Option(
        "--github-url",
        metavar="URL",
        help="Your own GitHub (default: $GITHUB_API_URL, else github.com).",
        show_default=False,
    ),
]
GitlabUrlOption = Annotated[
    str | None,
    typer.Option(
        "--gitlab-url",
        metavar="URL",
        help="Your own GitLab (default: $GITLAB_URL or $CI_SERVER_URL, else gitlab.com).",
        show_default=False,
    ),
]
UseTokenOption = Annotated[
    bool,
    typer.Option(
        "--use-token",
        help="Let git fetch from these hosts with their tokens: for private repositories.",
    ),
]
CloneByOption = Annotated[
    CloneBy,
    typer.Option(
        "--clone-by",
        help="How listed repositories are fetched.",
    ),
]
MatchOption = Annotated[
    list[str] | None,
    typer.Option(
        "--match",
        metavar="GLOB",
        help="Only those whose owner/repo fits (or, without a slash, whose own name).",
        show_default=False,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--exclude",
        metavar="GLOB",
        help="None that fits.",
        show_default=False,
    ),
]
LanguageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--language",
        metavar="NAME",
        help="Only those in this main language, as GitHub names it.",
        show_default=False,
    ),
]
ArchivedOption = Annotated[
    bool,
    typer.Option(
        "--archived",
        help="Also listed ones that are archived.",
    ),
]
ForksOption = Annotated[
    bool,
    typer.Option(
        "--forks",
        help="Also listed ones that are forks.",
    ),
]
PushedSinceOption = Annotated[
    str | None,
    typer.Option(
        "--pushed-since",
        metavar="TIME",
        help="Only those pushed to since 30d or 2026-11-01.",
        show_default=False,
    ),
]
RefOption = Annotated[
    str | None,
    typer.Option(
        "--ref",
        metavar="REF",
        help="Branch, tag or commit of all that have no @ref of their own.",
        show_default=False,
    ),
]
BranchesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--branches",
        metavar="GLOB",
        help="Every branch that fits, each a row repo@branch.",
        show_default=False,
    ),
]
TagsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--tags",
        metavar="GLOB",
        help="Every tag that fits, each a row repo@tag.",
        show_default=False,
    ),
]
PerHostOption = Annotated[
    int,
    typer.Option(
        "--per-host",
        metavar="N",
        min=1,
        max=64,
        help="Fetches from one host at once.",
    ),
]


def owners_of(
    github: "Sequence[str] | None", gitlab: "Sequence[str] | None", clone_by: CloneBy
) -> "list[Owner]":
    """What `--github` and `--gitlab` name."""
    from cortex_git.scan.sources.candidates import Owner

    given = [("github", name) for name in github or ()] + [("gitlab", name) for name in gitlab or ()]
    return [Owner(forge, name.strip("/ "), ssh=clone_by is CloneBy.SSH) for forge, name in given]


def filters_of(
    match: "Sequence[str] | None",
    exclude: "Sequence[str] | None",
    languages: "Sequence[str] | None",
    pushed_since: str | None,
    *,
    archived: bool,
    forks: bool,
) -> "Filters":
    """What the options leave out. Raises BadInput for a moment that is none."""
    import time

    from cortex_git.cli.periods import moment_of
    from cortex_git.scan.sources.filters import Filters

    since = None if pushed_since is None else moment_of(pushed_since, "--pushed-since", time.time())
    return Filters(tuple(match or ()), tuple(exclude or ()), tuple(languages or ()), archived, forks, since)
