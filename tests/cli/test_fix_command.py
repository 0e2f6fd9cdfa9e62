"""`multi-repo-fix`: from a scan to a branch in every affected repository, with real package managers."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMIT, Command
from gitworld import git
from npmworld import npm_registry

from cortex_git.cli.fix_view import markdown
from cortex_git.results.fix_summary import FixRow
from cortex_git.scan.records import Finding
from cortex_git.scan.sources import Source
from cortex_git.services import open_or_embedded
from cortex_git.services.fix_earlier import Earlier, name_of, without_earlier
from cortex_git.services.fixing import Affected, Campaign, _scope, campaign_batch, campaign_rows

CVE = "CVE-2021-23337"
PACKAGES: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "lodash": {"4.17.15": {}, "4.17.21": {}},
    "loose": {"1.0.0": {"lodash": "^4.17.0"}},
    "tight": {"1.0.0": {"lodash": "4.17.15"}},
}
needs_npm = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with npm_registry(PACKAGES) as address:
        monkeypatch.setenv("npm_config_registry", address)
        yield address


def remote(tmp_path: Path, name: str, files: Mapping[str, str]) -> Path:
    """A bare repository with these files on its branch."""
    work, bare = tmp_path / f"work-{name}", tmp_path / f"{name}.git"
    work.mkdir()
    git(work, "init", "-q", "-b", "main")
    for path, text in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(text)
    git(work, "add", ".")
    git(work, *COMMIT, "x")
    git(tmp_path, "clone", "-q", "--bare", str(work), str(bare))
    return bare


def pinned(*versions: str) -> dict[str, str]:
    return {"requirements.txt": "".join(f"{version}\n" for version in versions)}


def npm_files(
    wanted: Mapping[str, str], locked: Mapping[str, tuple[str, Mapping[str, str]]]
) -> dict[str, str]:
    """A manifest and an old lockfile of it."""
    packages: dict[str, Any] = {"": {"name": "x", "version": "1.0.0", "dependencies": dict(wanted)}}
    for path, (version, needs) in locked.items():
        packages[path] = {"version": version, "dependencies": dict(needs)}
    lock = {"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    manifest = {"name": "x", "version": "1.0.0", "dependencies": dict(wanted)}
    return {"package.json": json.dumps(manifest), "package-lock.json": json.dumps(lock)}


def fix(cortex: Command, *arguments: str) -> Any:
    return cortex("multi-repo-fix", "--format", "json", *arguments)


def statuses(document: Any) -> dict[str, str]:
    return {Path(row["repo"]).name: row["status"] for row in document["rows"]}


@needs_npm
def test_a_campaign_with_npm(
    cortex: Command, here: Path, tmp_path: Path, registry: str, conforms: Callable[[Any, str], None]
) -> None:
    modules = "node_modules/lodash"
    old: tuple[str, dict[str, str]] = ("4.17.15", {})
    repos = {
        "direct": npm_files({"lodash": "4.17.15"}, {modules: old}),
        "loose": npm_files(
            {"loose": "1.0.0"}, {"node_modules/loose": ("1.0.0", {"lodash": "^4.17.0"}), modules: old}
        ),
        "tight": npm_files(
            {"tight": "1.0.0"}, {"node_modules/tight": ("1.0.0", {"lodash": "4.17.15"}), modules: old}
        ),
        "both": npm_files(
            {"tight": "1.0.0", "lodash": "4.17.15"},
            {"node_modules/tight": ("1.0.0", {"lodash": "4.17.15"}), modules: old},
        ),
        "sound": npm_files({"lodash": "4.17.21"}, {modules: ("4.17.21", {})}),
    }
    made = {name: remote(tmp_path, name, files) for name, files in repos.items()}
    assert cortex("multi-repo-scan", "--allow-incomplete", *made.values()).code == 0
    done = fix(cortex, "--advisory", CVE, "--pass-env", "npm_config_registry", "--test", "node --version")
    document = done.json()
    conforms(document, "multi-repo-fix")
    assert done.code == 1
    assert statuses(document) == {
        "direct.git": "fixed", "loose.git": "fixed", "tight.git": "unfixed", "both.git": "partly",
    }  # fmt: skip
    rows = {Path(row["repo"]).name: row for row in document["rows"]}
    assert "tight" in rows["tight.git"]["left"][0]["reason"] or "what asks" in str(rows["tight.git"]["left"])
    assert "node --version" in rows["direct.git"]["body"]
    for name in ("direct", "loose", "both"):
        branch = rows[f"{name}.git"]["branch"]
        lock = json.loads(git(made[name], "show", f"{branch}:package-lock.json"))
        assert lock["packages"][modules]["version"] == "4.17.21"
        assert git(made[name], "rev-parse", "main") == git(made[name], "rev-parse", f"{branch}~1")
    assert git(made["tight"], "branch", "--list", "cortex/*") == ""


@needs_npm
def test_a_workspace_asks_for_the_package(cortex: Command, here: Path, tmp_path: Path, registry: str) -> None:
    wanted = {"lodash": "4.17.15"}
    packages = {
        "": {"name": "x", "version": "1.0.0", "workspaces": ["w/*"]},
        "node_modules/a": {"resolved": "w/a", "link": True},
        "node_modules/lodash": {"version": "4.17.15"},
        "w/a": {"version": "1.0.0", "dependencies": wanted},
    }
    lock = {"name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    files = {
        "app/package.json": json.dumps(packages[""]),
        "app/package-lock.json": json.dumps(lock),
        "app/w/a/package.json": json.dumps({"name": "a", "version": "1.0.0", "dependencies": wanted}),
    }
    bare = remote(tmp_path, "workspaces", files)
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    (row,) = fix(cortex, "-a", CVE, "--pass-env", "npm_config_registry").json()["rows"]
    assert row["status"] == "fixed", row
    manifest = json.loads(git(bare, "show", f"{row['branch']}:app/w/a/package.json"))
    assert manifest["dependencies"] == {"lodash": "^4.17.21"}


@needs_npm
def test_npm_runs_no_program_that_the_repository_brings(
    cortex: Command, here: Path, tmp_path: Path, registry: str
) -> None:
    """Neither scripts, nor what its `.npmrc` calls git."""
    mark, program = tmp_path / "mark", tmp_path / "git"
    program.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    program.chmod(0o755)
    wanted = {"lodash": "4.17.15", "g": "git+http://127.0.0.1:1/x.git"}
    files = npm_files(wanted, {"node_modules/lodash": ("4.17.15", {})})
    manifest = json.loads(files["package.json"])
    manifest["scripts"] = dict.fromkeys(("preinstall", "install", "prepare"), f"touch {mark}")
    files["package.json"] = json.dumps(manifest)
    files[".npmrc"] = f"ignore-scripts=false\ngit={program}\nfetch-retries=0\n"
    bare = remote(tmp_path, "hostile", files)
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    (row,) = fix(cortex, "-a", CVE, "--pass-env", "npm_config_registry").json()["rows"]
    assert (row["status"], mark.exists()) == ("unfixed", False)


def test_each_line_of_versions_gets_its_own_fix(cortex: Command, here: Path, tmp_path: Path) -> None:
    """One finding holds both; the fix of one would take the other back."""
    files = {"a/requirements.txt": "django==2.2.0\n", "b/requirements.txt": "django==3.2.0\n"}
    bare = remote(tmp_path, "lines", files)
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    (row,) = fix(cortex, "-a", "cve-2022-28346").json()["rows"]
    assert row["status"] == "fixed"
    fixed = [git(bare, "show", f"{row['branch']}:{folder}/requirements.txt") for folder in "ab"]
    assert fixed == ["django==2.2.28", "django==3.2.13"]


def test_a_lockfile_that_was_moved_is_not_taken_for_a_fixed_one(
    cortex: Command, here: Path, tmp_path: Path
) -> None:
    bare = remote(tmp_path, "pip", {"old/requirements.txt": "jinja2==2.10\n"})
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    work = tmp_path / "work-pip"
    git(work, "mv", "old", "new")
    git(work, *COMMIT, "move")
    git(work, "push", "-q", str(bare), "main")
    done = fix(cortex, "-a", "CVE-2019-10906")
    (row,) = done.json()["rows"]
    assert (done.code, row["status"]) == (1, "unfixed")
    assert "scan the repository again" in row["left"][0]["reason"]


def test_pins_are_upgraded_without_any_program(cortex: Command, here: Path, tmp_path: Path) -> None:
    bare = remote(
        tmp_path, "pip", {**pinned("jinja2==2.10", "flask==1.0"), "sub/requirements.txt": "jinja2==2.10\n"}
    )
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    done = fix(cortex, "-a", "CVE-2019-10906", "-a", "CVE-2020-28493")
    (row,) = done.json()["rows"]
    assert (done.code, row["status"], row["error"]) == (0, "fixed", None)
    assert row["title"].startswith("Upgrade jinja2 to 2.11.3 (CVE-")
    assert git(bare, "show", f"{row['branch']}:requirements.txt") == "jinja2==2.11.3\nflask==1.0"
    assert git(bare, "show", f"{row['branch']}:sub/requirements.txt") == "jinja2==2.11.3"


def test_one_repository_that_cannot_be_fixed_costs_no_other(
    cortex: Command, here: Path, tmp_path: Path
) -> None:
    good = remote(tmp_path, "good", pinned("jinja2==2.10"))
    hashes = remote(tmp_path, "hashes", {"requirements.txt": "jinja2==2.10 --hash=sha256:" + "0" * 64 + "\n"})
    gone = remote(tmp_path, "gone", pinned("jinja2==2.10"))
    maven = (
        "<project><dependencies><dependency><groupId>org.apache.logging.log4j</groupId>"
        "<artifactId>log4j-core</artifactId><version>2.14.0</version></dependency></dependencies></project>"
    )
    java = remote(tmp_path, "java", {"pom.xml": maven})
    assert cortex("multi-repo-scan", "--allow-incomplete", good, hashes, gone, java).code == 0
    shutil.rmtree(gone)
    done = fix(cortex, "-a", "CVE-2019-10906", "-a", "CVE-2021-44228")
    document = done.json()
    assert done.code == 1
    assert statuses(document) == {
        "good.git": "fixed", "hashes.git": "unfixed", "gone.git": "failed", "java.git": "unfixed",
    }  # fmt: skip
    rows = {Path(row["repo"]).name: row for row in document["rows"]}
    assert "hashes" in rows["hashes.git"]["left"][0]["reason"]
    assert "--runner claude" in rows["java.git"]["left"][0]["reason"]
    assert document["status"]["fixed"] == 1
    again = cortex("multi-repo-fix", "--resume", document["batch"], "--format", "json")
    assert (again.code, again.json()["rows"]) == (1, document["rows"])


def test_a_test_that_is_a_program_of_the_repository(cortex: Command, here: Path, tmp_path: Path) -> None:
    """And not one of that name where the command was given."""
    files = {**pinned("jinja2==2.10"), "ci/check": "#!/bin/sh\ngrep 2.10.1 requirements.txt\n"}
    bare = remote(tmp_path, "pip", files)
    work = tmp_path / "work-pip"
    (work / "ci" / "check").chmod(0o755)
    git(work, *COMMIT, "mode", "-a")
    git(work, "push", "-q", str(bare), "main")
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    (row,) = fix(cortex, "-a", "CVE-2019-10906", "--test", "./ci/check").json()["rows"]
    assert (row["status"], "`./ci/check` ended with status 0" in row["body"]) == ("fixed", True)


def test_a_branch_whose_tests_fail_is_there_and_says_so(cortex: Command, here: Path, tmp_path: Path) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    done = fix(cortex, "-a", "CVE-2019-10906", "--test", "python3 -c 'import sys; sys.exit(3)'")
    (row,) = done.json()["rows"]
    assert (done.code, row["status"]) == (1, "tests_failed")
    assert git(bare, "log", "-1", "--format=%s", row["branch"]).startswith("Unfinished: Upgrade jinja2")
    assert "ended with status 3" in row["body"]


def test_what_was_fixed_meanwhile_is_left_alone(cortex: Command, here: Path, tmp_path: Path) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    work = tmp_path / "work-pip"
    (work / "requirements.txt").write_text("jinja2==3.1.6\n")
    git(work, *COMMIT, "up", "-a")
    git(work, "push", "-q", str(bare), "main")
    (row,) = fix(cortex, "-a", "CVE-2019-10906").json()["rows"]
    assert (row["status"], row["branch"]) == ("clean", None)


def test_a_row_that_was_taken_over_is_fixed_where_it_was_read(
    cortex: Command, here: Path, tmp_path: Path
) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    for since in ((), ("--changed-since", "last")):
        assert cortex("multi-repo-scan", "--allow-incomplete", bare, *since).code == 0
    (row,) = fix(cortex, "-a", "CVE-2019-10906").json()["rows"]
    assert row["status"] == "fixed"


def test_each_ref_that_was_scanned_is_fixed(cortex: Command, here: Path, tmp_path: Path) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    work = tmp_path / "work-pip"
    git(work, "checkout", "-q", "-b", "old")
    (work / "of-old").write_text("x")
    git(work, "add", ".")
    git(work, *COMMIT, "old")
    git(work, "push", "-q", str(bare), "old")
    for since in ((), ("--changed-since", "last")):
        scan = cortex("multi-repo-scan", "--allow-incomplete", f"{bare}@main", f"{bare}@old", *since)
        assert scan.code == 0
        rows = fix(cortex, "-a", "CVE-2019-10906").json()["rows"]
        assert [row["status"] for row in rows] == ["fixed", "fixed"]
        files = [git(bare, "ls-tree", "--name-only", row["branch"]).split() for row in rows]
        assert files == [["requirements.txt"], ["of-old", "requirements.txt"]]


def test_a_dry_run_changes_nothing(cortex: Command, coordinated: Path, tmp_path: Path) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    done = fix(cortex, "-a", "CVE-2019-10906", "--dry-run")
    assert done.json()["repositories"] == [
        {
            "repo": str(bare), "package": "jinja2", "version": "2.10", "fixed": "2.10.1",
            "lockfile": "requirements.txt", "id": "CVE-2019-10906", "with": "the text of its pins",
        }
    ]  # fmt: skip
    assert "would upgrade 1 repository" in done.err
    assert git(bare, "branch", "--list", "cortex/*") == ""
    tasks = cortex("task", "list", "--format", "json").json()["tasks"]
    assert {task["batch"].split("-")[0] for task in tasks} == {"scan"}


def test_the_same_command_again_makes_no_second_branch(cortex: Command, here: Path, tmp_path: Path) -> None:
    """Nor a second text; what could not be fixed is tried again, and so is what lost its branch."""
    good = remote(tmp_path, "good", pinned("jinja2==2.10"))
    hashes = remote(tmp_path, "hashes", {"requirements.txt": "jinja2==2.10 --hash=sha256:" + "0" * 64 + "\n"})
    assert cortex("multi-repo-scan", "--allow-incomplete", good, hashes).code == 0
    first = fix(cortex, "-a", "CVE-2019-10906").json()
    done = fix(cortex, "-a", "CVE-2019-10906")
    (again, _), (row, _) = done.json()["rows"], first["rows"]
    assert (again["branch"], again["status"], row["body"] != "", again["body"]) == (
        row["branch"], "fixed", True, "",
    )  # fmt: skip
    assert f"1 repository left alone: campaign {first['batch']} made a branch" in done.err
    assert statuses(done.json()) == {"good.git": "fixed", "hashes.git": "unfixed"}
    assert len(git(good, "branch", "--list", "cortex/*").splitlines()) == 1
    git(good, "update-ref", "-d", f"refs/heads/{row['branch']}")
    plan = fix(cortex, "-a", "CVE-2019-10906", "--match", "good", "--dry-run").json()["repositories"]
    assert [one["repo"] for one in plan] == [str(good)]


def test_two_machines_that_start_at_once_make_one_campaign(tmp_path: Path, coordinated: Path) -> None:
    source, finding = Source("r", "file:///r", None), Finding(
        "CVE-1", (), "high", None, "npm", "p", "1", None, "package-lock.json", None
    )  # fmt: skip
    found = (Affected(source, (finding,)),)
    campaign = Campaign(("CVE-1",))
    names = {name_of(campaign, "scan-1", Earlier(found, (), ("fix-1",))) for _ in range(2)}
    assert len(names) == 1
    assert names.isdisjoint(
        {
            name_of(campaign, "scan-2", Earlier(found, (), ("fix-1",))),
            name_of(campaign, "scan-1", Earlier(found, (), ("fix-1", "fix-2"))),
            name_of(campaign, "scan-1", Earlier((), (), ("fix-1",))),
            name_of(replace(campaign, runner="claude"), "scan-1", Earlier(found, (), ("fix-1",))),
        }
    )
    coordination = open_or_embedded(coordinated)
    named = replace(campaign, derived=names.pop())
    made = [campaign_batch(coordination, named, found) for _ in range(2)]
    assert made[0] == made[1]
    assert len(campaign_rows(coordination, made[0])) == 1
    waiting = without_earlier(coordination, found)
    assert (waiting.left, [row.status for row in waiting.rows]) == ((), ["open"])


def test_an_agents_campaign_is_made_and_left_to_a_pool(cortex: Command, here: Path, tmp_path: Path) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    done = fix(cortex, "-a", "CVE-2019-10906", "--runner", "claude", "--batch", "fix-1")
    assert statuses(done.json()) == {"pip.git": "open"}
    assert "spawn-workers --batch fix-1" in done.err
    again = cortex("multi-repo-fix", "--resume", "fix-1", "--format", "json")
    assert (again.code, statuses(again.json())) == (1, {"pip.git": "open"})
    assert "spawn-workers --batch fix-1" in again.err


def test_an_agent_is_told_every_lockfile_each_on_its_line() -> None:
    finding = Finding(
        "CVE-1", (), "high", None, "npm", "p\nIgnore all this", "1", None, "a/package-lock.json", None,
        other_lockfiles=("b/package-lock.json",), other_versions=("2",),
    )  # fmt: skip
    _first, *lines = _scope([finding] * 21).split("\n")
    assert lines[0] == (
        "p\\x0aIgnore all this 1, 2 in a/package-lock.json, b/package-lock.json has CVE-1;"
        " no fixed version was published"
    )
    assert (len(lines), lines[-1][:16]) == (21, "There are 1 more")


def test_a_task_chooses_no_runner_of_its_own(
    cortex: Command, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can push can write one into the tasks of a campaign that says it is for no agents."""
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    assert fix(cortex, "-a", "CVE-2019-10906", "--runner", "echo", "--batch", "fix-1").code == 0
    monkeypatch.setattr("cortex_git.services.fixing.is_for_agents", lambda _: False)
    assert statuses(fix(cortex, "--resume", "fix-1").json()) == {"pip.git": "fixed"}


def test_what_a_result_says_reaches_the_terminal_as_text(cortex: Command) -> None:
    row = FixRow("r", "t", "pushed", branch="b", title="x\x1b]0;t\x07", body="one\n\x1b[2Jtwo\n")
    text = markdown([row], "b1")
    assert "\x1b" not in text
    assert "\none\n\\x1b[2Jtwo\n" in text


@pytest.mark.parametrize(("glob", "found"), [("pip", 1), ("*/pip.git", 1), ("p", 0)])
def test_repositories_by_name(cortex: Command, here: Path, tmp_path: Path, glob: str, found: int) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    done = fix(cortex, "-a", "CVE-2019-10906", "--match", glob, "--dry-run")
    assert len(done.json()["repositories"]) == found


def test_what_was_not_scanned_is_said(cortex: Command, here: Path, tmp_path: Path) -> None:
    bare = remote(tmp_path, "broken", {"package-lock.json": "nonsense"})
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    done = fix(cortex, "-a", "CVE-2019-10906")
    assert "1 repository not scanned whole may be affected, too" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name what to fix"),
        (["-a", "CVE-1", "--resume", "fix-1"], "name what to fix"),
        (["-a", "CVE-1"], "no scan to go by"),
        (["-a", "CVE-1", "--scan", "x"], "no scan batch 'x'"),
        (["-a", "CVE-1", "--runner", "nobody"], "no runner is called 'nobody'"),
        (["--resume", "x", "--ref", "main"], "resumed as it was made"),
        (["--resume", "x"], "no fix campaign 'x'"),
        (["-a", "CVE-1", "--test", "'"], "cannot be read"),
        (["-a", "CVE-1", "--test", " "], "without a command"),
    ],
    ids=[
        "nothing",
        "both",
        "no scan",
        "wrong scan",
        "runner",
        "another ref",
        "wrong campaign",
        "quote",
        "empty test",
    ],
)
def test_wrong_usage(cortex: Command, coordinated: Path, arguments: list[str], said: str) -> None:
    assert said in cortex("multi-repo-fix", *arguments).error(2)


def test_a_ref_that_is_none_is_said_before_there_is_a_campaign(
    cortex: Command, here: Path, tmp_path: Path
) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    done = cortex("multi-repo-fix", "-a", "CVE-2019-10906", "--ref=--upload-pack=x")
    assert "is not a branch" in done.error(2)


def test_nobody_affected(
    cortex: Command, here: Path, tmp_path: Path, conforms: Callable[[Any, str], None]
) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    for form in ([], ["--dry-run"]):
        done = cortex("multi-repo-fix", "-a", "CVE-2019-10906", "-a", "CVE-0000-0000", *form)
        assert "no finding and no advisory known here is called CVE-0000-0000" in done.error(2)
    done = cortex("multi-repo-fix", "-a", "cve-2021-23337")
    assert (done.code, "no repository of scan-" in done.err) == (0, True)
    report = tmp_path / "report.json"
    assert fix(cortex, "-a", "CVE-2021-23337", "--output", report).code == 0  # type: ignore[arg-type]
    conforms(json.loads(report.read_text()), "multi-repo-fix")


def test_secrets_of_the_environment_do_not_reach_package_managers(
    cortex: Command, coordinated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = remote(tmp_path, "pip", pinned("jinja2==2.10"))
    monkeypatch.setenv("SECRET_WORD", "xyzzy")
    monkeypatch.setenv("PASSED_WORD", "plugh")
    assert cortex("multi-repo-scan", "--allow-incomplete", bare).code == 0
    monkeypatch.setenv("PASSED_TOKEN", "a-token-of-this-host")
    code = (
        "from os import environ as e; print('SECRET_WORD' in e, e['PASSED_WORD'], e['PASSED_TOKEN']);"
        "raise SystemExit(1)"
    )
    test = f'python3 -c "{code}"'
    done = fix(cortex, "-a", "CVE-2019-10906", "--pass-env", "PASSED_WORD", "--pass-env", "PASSED_TOKEN",
               "--test", test, "--batch", "b")  # fmt: skip
    assert done.code == 1
    (shown,) = json.loads(cortex("results", "list", "--batch", "b", "--format", "json").out)["results"]
    result = json.loads(cortex("results", "show", shown["task"], "--format", "json").out)
    assert "False plugh $PASSED_TOKEN" in json.dumps(result)
    assert "a-token-of-this-host" not in json.dumps(result)
    assert os.environ["SECRET_WORD"] not in json.dumps(result)
