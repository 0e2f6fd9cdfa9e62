"""One repository to one row: what is read, what is missing, and never a false all-clear."""

import json
from pathlib import Path

import pytest

from cortex_git.runners import scan as runner
from cortex_git.scan.advisories.database import AdvisoryDatabase
from cortex_git.scan.cache import ScanCache
from cortex_git.scan.reading import Limits
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

VULNERABLE = "jinja2==2.10 --hash=sha256:0\n"
CLEAN = "jinja2==3.1.4 --hash=sha256:0\n"
"""With hashes, so that the file is known to list all that is installed."""


def scan(path: Path, database: AdvisoryDatabase, ref: str | None = None, **more: object) -> RepositoryScan:
    return scan_repository(Source(path.name, str(path), ref), database=database, **more)  # type: ignore[arg-type]


def reasons(row: RepositoryScan) -> dict[str, str]:
    return {gap.what: gap.reason for gap in row.not_scanned}


def test_a_vulnerable_pin_is_found(make_repository, database, git):
    repo = make_repository({"app/requirements.txt": VULNERABLE + "click==8.1.7 --hash=sha256:0\n"})
    row = scan(repo, database)
    assert (row.status, row.error, row.packages, row.not_scanned) == ("scanned", None, 2, ())
    assert row.commit == git(repo, "rev-parse", "HEAD")
    assert row.database.startswith("osv 20")
    [finding] = row.findings
    assert (finding.id, finding.package, finding.fixed) == ("CVE-2021-0006", "jinja2", "2.11.3")
    assert (finding.lockfile, finding.line, finding.severity) == ("app/requirements.txt", 1, "critical")
    assert row.duration_s > 0


def test_what_is_committed_counts_and_a_ref_can_be_named(make_repository, database, git):
    repo = make_repository({"requirements.txt": VULNERABLE}, checkout=True)
    git(repo, "branch", "old")
    make_repository({"requirements.txt": CLEAN})
    git(repo, "pack-refs", "--all")
    git(repo, "gc", "-q")
    assert not scan(repo, database).findings
    assert scan(repo, database, "old").findings
    assert scan(repo, database, git(repo, "rev-parse", "old")).findings
    (repo / "requirements.txt").write_text(VULNERABLE)
    assert not scan(repo, database).findings


def test_a_linked_worktree_is_read_at_its_own_head(make_repository, database, git, tmp_path):
    repo = make_repository({"requirements.txt": VULNERABLE}, checkout=True)
    git(repo, "worktree", "add", "-q", "-b", "fix", str(tmp_path / "tree"))
    (tmp_path / "tree" / "requirements.txt").write_text(CLEAN)
    git(tmp_path / "tree", "commit", "-qam", "fix")
    assert scan(repo, database).findings
    assert not scan(tmp_path / "tree", database).findings


def test_a_sha256_repository_is_read(tmp_path, database, git):
    (tmp_path / "r").mkdir()
    git(tmp_path / "r", "init", "-q", "--object-format=sha256")
    (tmp_path / "r" / "requirements.txt").write_text(VULNERABLE)
    git(tmp_path / "r", "add", ".")
    git(tmp_path / "r", "commit", "-qm", "x")
    row = scan(tmp_path / "r", database)
    assert row.findings and row.commit and len(row.commit) == 64


def test_a_clone_that_borrows_objects_is_read(make_repository, database, git, tmp_path):
    make_repository({"requirements.txt": VULNERABLE})
    git(tmp_path, "clone", "-q", "--shared", "repo", "borrower")
    assert scan(tmp_path / "borrower", database).findings


def test_no_commit_is_not_an_all_clear(tmp_path, database, git):
    git(tmp_path, "init", "-q", "empty")
    row = scan(tmp_path / "empty", database)
    assert (row.status, row.commit) == ("incomplete", None)
    assert reasons(row) == {"the repository": "HEAD names no commit"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"main.c": "int x;"}, {"the repository": "no lockfile or manifest found"}),
        (
            {"package.json": "{}"},
            {"the repository": "no lockfile found", "package.json": "no lockfile beside it"},
        ),
        (
            {"requirements.txt": CLEAN, "web/package.json": "{}"},
            {"web/package.json": "no lockfile beside it"},
        ),
    ],
)
def test_nothing_to_read_is_not_an_all_clear(make_repository, database, files, expected):
    row = scan(make_repository(files), database)
    assert row.status == "incomplete"
    assert reasons(row) == expected


def test_an_ecosystem_without_advisories_is_not_an_all_clear(make_repository, database):
    row = scan(make_repository({"go.mod": "module m\n\ngo 1.21\n\nrequire rsc.io/quote v1.5.2\n"}), database)
    assert row.status == "incomplete"
    assert reasons(row) == {"1 package of Go": "the database has no advisories for it"}


def test_an_unreadable_lockfile_costs_only_itself(make_repository, database):
    row = scan(make_repository({"package-lock.json": "{", "requirements.txt": VULNERABLE}), database)
    assert row.status == "incomplete"
    assert "not valid JSON" in reasons(row)["package-lock.json"]
    assert row.findings


@pytest.mark.parametrize("name", ["absent", "file", "broken"])
def test_what_is_no_repository_is_a_failed_row(tmp_path, database, name):
    (tmp_path / "file").write_text("x")
    (tmp_path / "broken" / ".git").mkdir(parents=True)
    row = scan(tmp_path / name, database)
    assert row.status == "failed"
    assert row.error and name in row.error and "give a checkout" in row.error


def test_an_unknown_ref_is_a_failed_row(make_repository, database):
    row = scan(make_repository({"requirements.txt": CLEAN}), database, "nosuch")
    assert row.status == "failed"
    assert row.error == "no commit is called 'nosuch': check the branch, tag or commit id"


def test_included_files_are_read_wherever_they_are(make_repository, database):
    repo = make_repository(
        {
            "requirements.txt": "-r deep/a.in\nclick==8.1.7 --hash=sha256:0\n",
            "deep/a.in": "-r ../other/b.in\n",
            "other/b.in": VULNERABLE,
        }
    )
    row = scan(repo, database)
    assert (row.status, row.packages) == ("scanned", 2)
    assert [(f.lockfile, f.line) for f in row.findings] == [("other/b.in", 1)]


def test_includes_that_go_round_end(make_repository, database):
    repo = make_repository(
        {"requirements.txt": "-r b.in\n" + CLEAN, "b.in": "-r requirements.txt\n" + VULNERABLE}
    )
    assert [f.package for f in scan(repo, database).findings] == ["jinja2"]


def test_symbolic_links_and_submodules(make_repository, database, git):
    repo = make_repository({"requirements.txt": CLEAN}, checkout=True)
    (repo / "poetry.lock").symlink_to("/etc/passwd")
    git(repo, "add", ".")
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},yarn.lock")
    git(repo, "commit", "-qm", "x")
    row = scan(repo, database)
    assert reasons(row) == {
        "poetry.lock": "is a symbolic link, which is not followed",
        "yarn.lock": "is a submodule, a repository of its own; scan that one, too",
    }


def test_a_lockfile_that_no_reader_knows_is_not_passed_over(make_repository, database):
    row = scan(make_repository({"requirements.txt": CLEAN, "deno.lock": "{}"}), database)
    assert (row.status, reasons(row)) == (
        "incomplete",
        {"deno.lock": "is a lockfile of a kind that is not read"},
    )


def test_of_very_many_submodules_the_rest_is_counted(make_repository, database, git):
    repo = make_repository({"requirements.txt": CLEAN}, checkout=True)
    for number in range(103):
        git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},lib/{number:03}")
    git(repo, "commit", "-qm", "x")
    row = scan(repo, database)
    assert (row.status, len(row.not_scanned)) == ("incomplete", 101)
    assert row.not_scanned[-1].what == "3 more submodules"


@pytest.mark.parametrize(
    ("limits", "what", "reason"),
    [
        (Limits(lockfile_bytes=10), "b/requirements.txt", "is 30 bytes, the limit is 10"),
        (Limits(total_bytes=62), "c/requirements.txt", "the lockfiles together pass the limit of 62 bytes"),
        (Limits(lockfiles=2), "1 more lockfiles", "the limit is 2"),
        (Limits(paths=2), "the files beyond a limit", "the repository has more than 2 files"),
        (Limits(path_depth=0), "3 files", "paths of more than 4,096 bytes or 0 folders"),
        (
            Limits(listing_bytes=90),
            "the files beyond a limit",
            "the repository has file names of more than 90 bytes in all",
        ),
    ],
)
def test_each_cap_is_named_where_it_bites(make_repository, database, limits, what, reason):
    row = scan(make_repository({f"{f}/requirements.txt": CLEAN for f in "abc"}), database, limits=limits)
    assert row.status == "incomplete"
    assert reasons(row)[what] == reason


def test_out_of_time_is_a_failed_row(make_repository, database):
    row = scan(make_repository({"requirements.txt": CLEAN}), database, limits=Limits(time_s=0.0))
    assert (row.status, row.error) == ("failed", "repo took over 0 s")


def test_the_cache_answers_only_for_the_same_content(make_repository, database, tmp_path, monkeypatch):
    repo = make_repository({"requirements.txt": "-r b.in\n", "b.in": VULNERABLE, "poetry.lock": "["})
    cache = ScanCache(tmp_path / "cache")
    first = scan(repo, database, cache=cache)
    read = []
    monkeypatch.setattr("cortex_git.scan.packages.read_lockfile", lambda path, *_: read.append(path))
    monkeypatch.setattr("cortex_git.scan.scanner.match", lambda *_: read.append("match"))
    again = scan(repo, database, cache=ScanCache(tmp_path / "cache"))
    assert read == []
    assert (again.findings, again.not_scanned, again.packages) == (
        first.findings,
        first.not_scanned,
        first.packages,
    )
    monkeypatch.undo()
    make_repository({"requirements.txt": "-r b.in\n", "b.in": CLEAN})
    assert not scan(repo, database, cache=cache).findings


def test_a_damaged_cache_is_begun_anew(make_repository, database, tmp_path):
    repo = make_repository({"requirements.txt": VULNERABLE})
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "scan.sqlite").write_bytes(b"not a database" * 1000)
    cache = ScanCache(tmp_path / "cache")
    assert scan(repo, database, cache=cache).findings
    assert cache.lockfile("requirements.txt", git_oid(repo), lambda _: None)
    cache.close()
    (tmp_path / "cache").chmod(0o500)
    assert scan(repo, database, cache=ScanCache(tmp_path / "cache")).findings


def git_oid(repo: Path) -> str:
    import subprocess

    command = ["git", "rev-parse", "HEAD:requirements.txt"]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, check=True).stdout.strip()


def test_the_runner_keeps_its_state_and_notices_an_update(make_repository, database, tmp_path):
    repo = make_repository({"requirements.txt": VULNERABLE})
    payload = {
        "repo": "r",
        "url": str(repo),
        "database": str(database.path),
        "data_dir": "",
        "cache_dir": str(tmp_path / "cache"),
        "limits": {"time_s": 60},
    }
    runner.preload()
    row = json.loads(json.dumps(runner.scan_row(payload)))
    state = runner._state
    assert RepositoryScan.from_json(row).findings[0].package == "jinja2"
    runner.scan_row(payload)
    assert runner._state is state
    database.path.touch()
    runner.scan_row(payload)
    assert runner._state is not state


def test_the_runner_refuses_a_task_that_would_start_a_program(database, tmp_path):
    from cortex_git.errors import BadInput

    payload = {"repo": "r", "url": f"ext::touch {tmp_path}/x", "database": str(database.path)}
    with pytest.raises(BadInput):
        runner.scan_row(payload)
    assert not (tmp_path / "x").exists()
