"""The `scan` runner: one repository a task, on state that a warm worker keeps between tasks.

Owns this process's open database and cache. Must never take a credentials program from the task's own
document: it comes with the context's options, from host-local settings.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cortex_git.errors import BadInput, CortexError, EnvironmentProblem
from cortex_git.runners import RunContext, RunOutcome

if TYPE_CHECKING:
    from cortex_git.scan.advisories.database import AdvisoryDatabase
    from cortex_git.scan.cache import ScanCache
    from cortex_git.scan.others.programs import Chosen
    from cortex_git.scan.sources import Source

STARTER = "starter"
PER_HOST = 8
"""Fetches from one host at once, where the command did not say."""


class _State(NamedTuple):
    key: tuple[int, str, str, str]
    database: "AdvisoryDatabase"
    cache: "ScanCache"


_state: _State | None = None


def run(task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Scan the task's repository. One that cannot be read fails its own row, and trying again is no use."""
    asked = task.get("context") or {}
    payload = {**context.options, "repo": task.get("repo"), "url": asked.get("url"), "ref": asked.get("ref")}
    if asked.get("secrets") is True:  # whoever began the batch asked for it, not only this host
        payload["secrets"] = True
    try:
        row = scan_row(payload)
    except BadInput as error:
        return RunOutcome("failed", error=str(error))
    _tell_of_silent(row, asked.get("scanners"), payload.get("scanners"))
    if row["status"] == "failed":
        return RunOutcome("failed", row, error=row["error"])
    return RunOutcome("completed", row)


def _tell_of_silent(row: dict[str, Any], wanted: object, had: Sequence[Mapping[str, Any]] | None) -> None:
    """A gap for each other scanner that the batch asks for and that this host's command did not bring."""
    brought = {one.get("name") for one in had or ()}
    names = [name for name in wanted if isinstance(name, str)] if isinstance(wanted, list) else []
    missing = sorted({name[:100] for name in names if name not in brought})[:20]
    if not missing:
        return
    from cortex_git.scan.gap_kinds import OTHER_SCANNER
    from cortex_git.scan.records import NotScanned

    row["not_scanned"] += [
        NotScanned(name, "was not asked by the host that scanned", OTHER_SCANNER).to_json()
        for name in missing
    ]
    if row["status"] == "scanned":
        row["status"] = "incomplete"


def scan_row(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Scan one repository; the row as `RepositoryScan.to_json` gives it.

    `payload`: `repo` (as shown), `url` (as parsed), optionally `ref`, `database` (a path, `starter`, or
    nothing for the imported one), `data_dir`, `cache_dir`, `askpass`, `helper`, `tokens` (as `HostToken`s are
    in JSON), `per_host`, `scanners` (`name` and `more` arguments of each), `secrets` (whether to look for
    them), `limits`. Raises BadInput for an address that git must not get, EnvironmentProblem where there is
    no database.
    """
    from cortex_git.scan.reading import HostGate, Limits
    from cortex_git.scan.scanner import scan_repository
    from cortex_git.scan.sources import Credentials, HostToken

    tokens = tuple(HostToken.from_json(token) for token in payload.get("tokens") or ())
    cache_dir = payload.get("cache_dir")
    gate = HostGate(Path(cache_dir) if cache_dir else None, int(payload.get("per_host") or PER_HOST))
    state = _prepared(payload)
    row = scan_repository(
        _source(payload),
        database=state.database,
        cache=state.cache,
        credentials=Credentials(payload.get("askpass"), payload.get("helper"), tokens),
        limits=Limits.from_json(payload.get("limits") or {}),
        gate=gate,
        others=_others(payload),
        secrets=bool(payload.get("secrets")),
    )
    return row.to_json()


def preload() -> None:
    """Import everything a scan needs, so that a process forked from this one starts at once."""
    from importlib import import_module

    for name in (
        "git",
        "git.exc",
        "yaml",
        "tomli",
        "encodings.utf_8_sig",
        "packaging.version",
        "cortex_git.scan.scanner",
    ):
        import_module(name)
    from cortex_git.scan import scanner
    from cortex_git.scan.advisories.starter_set import content_key
    from cortex_git.scan.cache import code_mark
    from cortex_git.scan.lockfiles import FORMATS
    from cortex_git.scan.marks import row_mark
    from cortex_git.scan.reading.facts import takes_commands

    # All read files and keep what they found (10 ms together), which the forked processes inherit.
    content_key()
    code_mark()
    row_mark("")
    with suppress(CortexError):  # without git, every repository says so itself
        takes_commands()
    for module in {form.module for form in FORMATS.values()}:
        import_module(f"cortex_git.scan.lockfiles.{module}")
    scanner.warm_up()


def _others(payload: Mapping[str, Any]) -> "list[Chosen]":
    """The other scanners that the command was given; never a task's word."""
    given = payload.get("scanners") or ()
    if not given:
        return []
    from cortex_git.scan.others.programs import Chosen

    return [Chosen(str(one["name"]), tuple(one["more"])) for one in given]


def _source(payload: Mapping[str, Any]) -> "Source":
    """The task's repository, checked again: a task may have been written by anyone who can push."""
    from cortex_git.scan.sources import checked_source

    repo, url, ref = payload.get("repo"), payload.get("url"), payload.get("ref")
    if not isinstance(repo, str) or not isinstance(url, str) or not isinstance(ref, str | None):
        raise BadInput("a scan task without repository", "give it `repo` and `url`")
    return checked_source(repo, url, ref)


def _prepared(payload: Mapping[str, Any]) -> _State:
    """This process's database and cache, opened once; again after a fork, an update or other settings."""
    global _state
    from cortex_git.scan.scanner import open_cache

    database = str(payload.get("database") or "")
    data_dir, cache_dir = str(payload.get("data_dir") or ""), str(payload.get("cache_dir") or "")
    key = (os.getpid(), database, data_dir + _mark(database, data_dir), cache_dir)
    if _state is None or _state.key != key:
        opened = _open(database, data_dir, cache_dir)
        _state = _State(key, opened, open_cache(Path(cache_dir) if cache_dir else None))
    return _state


def _mark(database: str, data_dir: str) -> str:
    """Which file is there now: an update replaces it, and a warm worker is to notice."""
    if database == STARTER:
        return ""
    from cortex_git.scan.advisories.database import FILE

    try:
        facts = (Path(database) if database else Path(data_dir) / FILE).stat()
    except OSError:
        return " absent"
    return f" {facts.st_ino} {facts.st_mtime_ns}"


def open_database(options: Mapping[str, Any]) -> "AdvisoryDatabase":
    """The advisories that the options of a scan name. Raises EnvironmentProblem where none were imported."""
    database = str(options.get("database") or "")
    return _open(database, str(options.get("data_dir") or ""), str(options.get("cache_dir") or ""))


def _open(database: str, data_dir: str, cache_dir: str) -> "AdvisoryDatabase":
    from cortex_git.scan.advisories.database import AdvisoryDatabase, open_default, open_starter

    if database == STARTER:
        return open_starter(Path(cache_dir))
    if database:
        return AdvisoryDatabase.open(Path(database))
    found = open_default(Path(data_dir))
    if found is None:
        raise EnvironmentProblem("no advisories were imported yet", "run `cortex-git advisories update`")
    return found
