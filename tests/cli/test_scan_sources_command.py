"""`multi-repo-scan` over what a host lists: one on 127.0.0.1 that speaks the API and git."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import COMMIT, Command, Done
from forgeworld import Forge, serve
from githttp import Answer
from gitworld import git

from cortex_git.scan.sources import api as api_module

TOKEN = "tok-3n"
LOCK = {"lockfileVersion": 3, "packages": {"": {}, "node_modules/lodash": {"version": "4.17.15"}}}


@pytest.fixture
def forge(tmp_path: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    """acme with two repositories with findings, and entries of an archived one and a fork."""
    monkeypatch.setattr(api_module, "BACKOFF_S", (0.01,))
    for variable in ("GH_TOKEN", "GITHUB_API_URL", "CI_SERVER_URL", "GITLAB_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITLAB_TOKEN", TOKEN)
    root = tmp_path / "srv"
    root.mkdir()
    with serve(root) as running:
        running.token = TOKEN
        for name in ("web", "api"):
            repository(root, name)
            running.add("acme", name, language="Python" if name == "api" else "JavaScript")
        running.add("acme", "old", archived=True)
        running.add("acme", "copy", fork=True, forked_from_project={"id": 3})
        yield running


def repository(root: Path, name: str) -> Path:
    made = root / "acme" / f"{name}.git"
    made.mkdir(parents=True)
    git(made, "init", "-q", "-b", "main", ".")
    (made / "package-lock.json").write_text(json.dumps(LOCK))
    git(made, "add", ".")
    git(made, *COMMIT, "lock")
    git(made, "branch", "release/1")
    git(made, "tag", "v1")
    git(made, "config", "uploadpack.allowFilter", "true")
    return made


def scan(cortex: Command, forge: Forge, *arguments: str | Path) -> Done:
    urls = ("--github-url", forge.url, "--gitlab-url", forge.url)
    return cortex("multi-repo-scan", *urls, *arguments)


def planned(done: Done) -> list[str]:
    """The repositories of a dry run, below the host."""
    found = [
        line.removeprefix("would scan ")
        for line in done.err.splitlines()
        if line.startswith("would scan http")
    ]
    return ["/".join(line.split("/")[3:]) for line in found]


@pytest.mark.parametrize("option", ["--github", "--gitlab"])
def test_an_organisation_is_listed_fetched_and_scanned(cortex: Command, forge: Forge, option: str) -> None:
    done = scan(cortex, forge, option, "acme", "--allow-incomplete", "--format", "json")
    report = done.json()
    assert [row["repo"] for row in report["repositories"]] == [
        f"{forge.url}/acme/{name}" for name in ("web", "api")
    ]
    assert (done.code, report["cves_found"], report["repositories_failed"]) == (0, 4, 0)
    for said in ("acme: 4 repositories listed", "1 that are archived", "1 that are forks"):
        assert said in done.err
    assert TOKEN not in done.out + done.err


def test_private_repositories_need_the_word_of_the_person(
    cortex: Command, forge: Forge, tmp_path: Path
) -> None:
    forge.git.login = f"x-access-token:{TOKEN}"
    closed = scan(cortex, forge, "--github", "acme", "--match", "web", "--format", "json")
    assert (closed.code, closed.json()["repositories_failed"]) == (3, 1)
    done = scan(
        cortex, forge, "--github", "acme", "--match", "web", "--use-token", "--format", "json",
        "--allow-incomplete", "--batch", "nightly",
    )  # fmt: skip
    assert (done.code, done.json()["cves_found"]) == (0, 2)
    places = tmp_path, Path(os.environ["HOME"])
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]


@pytest.mark.parametrize("option", ["--github", "--gitlab"])
def test_a_plan_says_how_private_repositories_are_fetched(cortex: Command, forge: Forge, option: str) -> None:
    forge.add("acme", "closed", private=True)
    told = "1 repository is private: git needs --use-token"
    assert told in scan(cortex, forge, option, "acme", "--dry-run").err
    for way in (["--use-token"], ["--clone-by", "ssh"], ["--askpass", "/bin/true"]):
        assert told not in scan(cortex, forge, option, "acme", "--dry-run", *way).err


def test_a_plan_as_json(cortex: Command, forge: Forge) -> None:
    done = scan(
        cortex, forge, "--github", "acme", "--github", "gone", "--ref", "v1", "--dry-run", "--format", "json"
    )
    plan = done.json()
    assert plan["repositories"] == [
        {"repo": f"{forge.url}/acme/{name}", "ref": "v1", "unchanged_since": None} for name in ("web", "api")
    ]
    assert [gap["what"] for gap in plan["coverage"]] == ["github:gone"]


def test_what_ci_sets_does_not_end_a_scan_that_has_no_use_for_it(
    cortex: Command, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_SERVER_URL", "http://git.example.invalid")
    assert cortex("multi-repo-scan", "x", "--dry-run").code == 0
    assert "CI_SERVER_URL" in cortex("multi-repo-scan", "--gitlab", "acme").error(2)
    monkeypatch.setenv("CI_SERVER_URL", forge.url)
    assert planned(cortex("multi-repo-scan", "--gitlab", "acme", "--dry-run")) == ["acme/web", "acme/api"]
    assert "--github-url" in cortex("multi-repo-scan", "x", "--github-url", "http://x").error(2)


def test_use_token_without_one(cortex: Command, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.delenv(variable)
    assert "GITHUB_TOKEN, GH_TOKEN, GITLAB_TOKEN" in scan(cortex, forge, "x", "--use-token").error(2)


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ([], ["web", "api"]),
        (["--archived"], ["web", "api", "old"]),
        (["--forks", "--exclude", "a*"], ["web", "copy"]),
        (["--match", "acme/w*"], ["web"]),
        (["--language", "python"], ["api"]),
        (["--pushed-since", "2026-10-01"], ["web", "api"]),
    ],
    ids=["plain", "archived", "forks", "match", "language", "pushed"],
)
def test_filters(cortex: Command, forge: Forge, arguments: list[str], left: list[str]) -> None:
    done = scan(cortex, forge, "--github", "acme", "--dry-run", *arguments)
    assert (done.code, planned(done)) == (0, [f"acme/{name}" for name in left])


def test_filters_that_leave_nothing(cortex: Command, forge: Forge) -> None:
    assert "none of 4" in scan(cortex, forge, "--github", "acme", "--match", "zzz").error(2)
    assert "--pushed-since" in scan(cortex, forge, "--github", "acme", "--pushed-since", "soon").error(2)
    assert "not the name of" in scan(cortex, forge, "--github", "acme/web").error(2)


def test_a_filter_without_hold_leaves_the_repository_in(cortex: Command, forge: Forge, here: Path) -> None:
    (here / "plain").mkdir()
    done = scan(cortex, forge, "plain", "--language", "Go", "--dry-run")
    assert "would scan plain" in done.err
    assert "1 repository is scanned although nobody says their language" in done.err


def test_a_listing_that_breaks_off_is_in_the_report_and_in_a_resumed_one(
    cortex: Command, forge: Forge
) -> None:
    forge.per_page = 2
    forge.break_page["page=2"] = Answer(502)
    done = scan(cortex, forge, "--github", "acme", "--batch", "nightly", "--format", "json")
    assert done.code == 3
    gap = next(one for one in done.json()["coverage"] if one["what"] == "github:acme")
    assert "listed only the first 2" in gap["reason"]
    again = cortex("multi-repo-scan", "--resume", "nightly", "--format", "json").json()
    assert gap in again["coverage"]


def test_a_host_that_refuses_is_one_line(
    cortex: Command, forge: Forge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "wrong")
    text = scan(cortex, forge, "--github", "acme").error(3)
    assert "does not take the token in GITHUB_TOKEN" in text
    assert "nobody" in scan(cortex, forge, "--gitlab", "nobody").error(3)


def test_one_owner_that_fails_costs_only_itself(cortex: Command, forge: Forge) -> None:
    done = scan(cortex, forge, "--github", "acme", "--github", "gone", "--format", "json")
    report = done.json()
    assert (done.code, report["cves_found"]) == (3, 4)
    assert "github:gone" in {gap["what"] for gap in report["coverage"]}


@pytest.mark.parametrize(
    ("given", "what", "reason"),
    [
        (["--repos-file", "empty.txt"], "empty.txt", "names no repository"),
        (["--root", "plain"], "plain", "has no checkout below it"),
        (["--github", "bare"], "github:bare", "has no repository that the token may see"),
        (["--gitlab", "bare"], "gitlab:bare", "has no repository that the token may see"),
    ],
    ids=["file", "root", "github", "gitlab"],
)
def test_a_source_that_gives_nothing_is_a_gap(
    cortex: Command, forge: Forge, here: Path, given: list[str], what: str, reason: str
) -> None:
    forge.orgs["bare"] = []
    (here / "plain").mkdir()
    (here / "empty.txt").write_text("# nothing yet\n")
    plan = scan(cortex, forge, "x", *given, "--dry-run", "--format", "json").json()
    assert [(gap["what"], gap["reason"], gap["kind"]) for gap in plan["coverage"]] == [
        (what, reason, "listing")
    ]
    assert f"{what} {reason}" in scan(cortex, forge, *given).error(3)  # its own sentence where it is alone
    (here / "own.cdx.json").write_text('{"bomFormat": "CycloneDX", "specVersion": "1.5"}')
    assert scan(cortex, forge, *given, "--sbom", "own.cdx.json", "--dry-run").code == 0


def test_what_root_passes_over_is_told(cortex: Command, forge: Forge, here: Path) -> None:
    for folder in ("all/meta/.git", "all/meta/child/.git", "elsewhere"):
        (here / folder).mkdir(parents=True)
    (here / "all/link").symlink_to(here / "elsewhere")
    said = scan(cortex, forge, "--root", "all", "--dry-run").err
    assert f"passed over: 1 checkout inside another, such as {here}/all/meta/child (" in said
    assert f"passed over: 1 symbolic link to a folder, such as {here}/all/link (" in said
    done = scan(cortex, forge, "--root", "all", "--format", "json")
    assert [text.partition(",")[0] for text in done.json()["notes"]] == [
        "passed over: 1 checkout inside another",
        "passed over: 1 symbolic link to a folder",
    ]
    assert all(done.err.count(text) == 1 for text in done.json()["notes"])


def test_every_branch_and_tag_that_fits_is_a_row(cortex: Command, forge: Forge) -> None:
    done = scan(
        cortex, forge, "--github", "acme", "--match", "web", "--branches", "release/*", "--tags", "v*",
        "--format", "json", "--allow-incomplete",
    )  # fmt: skip
    web = f"{forge.url}/acme/web"
    rows = {row["repo"]: len(row["findings"]) for row in done.json()["repositories"]}
    assert rows == {f"{web}@release/1": 2, f"{web}@v1": 2}
    none = scan(cortex, forge, "--github", "acme", "--tags", "zzz", "--dry-run")
    assert (planned(none), "2 repositories that have no branch or tag" in none.err) == ([], True)


def test_one_ref_for_all(cortex: Command, forge: Forge) -> None:
    named = f"{forge.url}/acme/web.git@v1"
    done = scan(cortex, forge, "--github", "acme", named, "--ref", "release/1", "--dry-run")
    assert planned(done) == ["acme/web.git at v1", "acme/web at release/1", "acme/api at release/1"]
    assert "not a branch" in scan(cortex, forge, "x", "--ref", "a..b").error(2)


def test_a_file_that_names_organisations(cortex: Command, forge: Forge, here: Path) -> None:
    (here / "config.yaml").write_text(f"org: [acme]\nskip-repo: [acme/api]\nbase-url: {forge.url}/api/v3\n")
    assert planned(scan(cortex, forge, "--repos-file", "config.yaml", "--dry-run")) == ["acme/web"]
    assert "config.yaml:3" in cortex("multi-repo-scan", "--repos-file", "config.yaml").error(2)


def test_over_a_thousand_are_listed_by_pages_and_again_for_nothing(cortex: Command, forge: Forge) -> None:
    for number in range(1150):
        forge.add("big", f"r{number}")
    for _ in range(2):
        before = len(forge.asked)
        assert len(planned(scan(cortex, forge, "--github", "big", "--dry-run"))) == 1150
    assert [status for _, status in forge.asked[before:]] == [304] * 13
