"""What a push brings: new findings against what the remote has, and what was not looked at."""

import os
from pathlib import Path

import pytest
from hookworld import FIXED, VULNERABLE, Worked, lock, worked

from cortex_git.errors import BadInput
from cortex_git.scan.records import SEVERITIES
from cortex_git.services.hooks.pushing import Update, Verdict, check_files, check_push, parse_updates
from cortex_git.services.hooks.repository import Repository, hook_environment
from cortex_git.services.hooks.settings import HookSettings, read_settings

NOTHING = "0" * 40
LOCK = "package-lock.json"


@pytest.fixture
def work(tmp_path: Path) -> Worked:
    return worked(tmp_path)


def check(work: Worked, old: str | None, new: str = "HEAD", remote: str = "origin") -> Verdict:
    repository = Repository(work.top, {})
    update = Update("refs/heads/main", work.git("rev-parse", new), old)
    return check_push(repository, read_settings(repository.git), remote, [update])


def found(verdict: Verdict) -> set[tuple[str, str]]:
    return {(one.finding.lockfile, one.finding.package) for one in verdict.findings}


def gaps(verdict: Verdict) -> list[str]:
    """What was not scanned, but that there is no imported database."""
    return [gap.what for gap in verdict.not_scanned if gap.what != "advisories"]


def test_lines_of_git() -> None:
    one, two = "a" * 40, "b" * 64
    text = (
        f"refs/heads/main {one} refs/heads/main {two}\n"
        f"HEAD@{{1 day ago}} {two} refs/heads/x {NOTHING}\n"
        f"(delete) {NOTHING} refs/heads/gone {one}\n"
        f"refs/heads/a\u2028\x85b {one} refs/heads/a\u2028\x85b {two}\n"
        "nonsense\n refs/heads/main --upload-pack=x refs/heads/main y\n"
    )
    assert parse_updates(text) == [
        Update("refs/heads/main", one, two),
        Update("refs/heads/x", two, None),
        Update("refs/heads/a\u2028\x85b", one, two),
        Update("nonsense", "", None),
        Update(" refs/heads/main --upload-pack=x refs/heads/main y", "", None),
    ]


def test_lines_that_are_not_understood_are_said(work: Worked) -> None:
    verdict = check_push(Repository(work.top, {}), HookSettings(), "origin", parse_updates("nonsense\n"))
    assert gaps(verdict) == ["nonsense"]


def test_only_what_the_push_brings_is_new(work: Worked) -> None:
    work.commit(LOCK, lock(lodash=VULNERABLE))
    work.git("push", "-q", "origin", "main")
    old = work.commit("b/" + LOCK, lock(lodash=VULNERABLE))
    first = check(work, work.git("rev-parse", "HEAD~1"))
    assert found(first) == {("b/" + LOCK, "lodash")}
    assert (first.known, first.lockfiles, first.code) == (0, ("b/" + LOCK,), 1)
    work.commit("b/" + LOCK, lock(lodash="4.17.14", minimist="1.2.5"))
    second = check(work, old)
    assert found(second) == {("b/" + LOCK, "minimist")}
    assert second.known == len(first.findings)
    work.commit("b/" + LOCK, lock(lodash=FIXED))
    assert (check(work, old).findings, check(work, old).known) == ((), 0)


def test_a_new_branch_is_compared_with_what_the_remote_has_elsewhere(work: Worked) -> None:
    work.commit(LOCK, lock(lodash=VULNERABLE))
    assert found(check(work, None)) == {(LOCK, "lodash")}
    work.git("push", "-q", "origin", "main")
    work.git("checkout", "-q", "-b", "topic")
    work.commit(LOCK, lock(lodash=VULNERABLE, x="1.0.0"))
    verdict = check(work, None)
    assert (verdict.findings, verdict.lockfiles) == ((), (LOCK,))
    assert verdict.known > 0
    assert found(check(work, None, remote="elsewhere")) == {(LOCK, "lodash")}


def test_a_lockfile_that_only_moved_brings_nothing_and_a_copy_does(work: Worked) -> None:
    old = work.commit(LOCK, lock(lodash=VULNERABLE))
    (work.top / "a").mkdir()
    work.git("mv", LOCK, "a/")
    work.git("commit", "-qm", "move")
    verdict = check(work, old)
    assert (verdict.findings, verdict.lockfiles) == ((), ())
    work.commit(LOCK, lock(lodash=VULNERABLE))
    assert found(check(work, old)) == {("a/" + LOCK, "lodash")}


def test_a_branch_that_is_set_back_brings_its_old_findings(work: Worked) -> None:
    work.commit(LOCK, lock(lodash=VULNERABLE))
    new = work.commit(LOCK, lock(lodash=FIXED))
    work.git("push", "-q", "origin", "main")
    assert found(check(work, new, "HEAD~1")) == {(LOCK, "lodash")}


def test_an_old_object_that_is_not_here(work: Worked) -> None:
    work.commit(LOCK, lock(lodash=VULNERABLE))
    assert found(check(work, "1" * 40)) == {(LOCK, "lodash")}


def test_tags_and_what_is_no_commit(work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    work.commit(LOCK, lock(lodash=VULNERABLE))
    work.git("tag", "-am", "v", "v1")
    work.git("tag", "blob", f"HEAD:{LOCK}")
    assert found(check(work, None, "v1")) == {(LOCK, "lodash")}
    verdict = check(work, old, "blob")
    assert (gaps(verdict), verdict.code) == (["refs/heads/main"], 0)


def test_many_refs_with_the_same_commit_are_one(work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    new = work.commit(LOCK, lock(lodash=VULNERABLE))
    updates = [Update(f"refs/heads/b{number}", new, old) for number in range(60)]
    verdict = check_push(Repository(work.top, {}), HookSettings(), "origin", updates)
    assert (len(verdict.refs), gaps(verdict)) == (60, [])
    assert len(verdict.findings) == len({(one.finding.id, one.finding.version) for one in verdict.findings})


@pytest.mark.parametrize(
    ("content", "what"),
    [("{", LOCK), ('{"lockfileVersion": 3, "packages": {"node_modules/x": {}}}', LOCK)],
    ids=["damaged", "no-version"],
)
def test_what_cannot_be_read_is_said_and_stops_only_where_it_is_to(
    work: Worked, content: str, what: str
) -> None:
    old = work.git("rev-parse", "HEAD")
    work.commit(LOCK, content)
    verdict = check(work, old)
    assert any(what in gap for gap in gaps(verdict))
    assert verdict.code == 0
    work.git("config", "cortex-git.incomplete", "block")
    assert check(work, old).code == 3


def test_a_link_is_not_followed(work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    (work.top / LOCK).symlink_to("/etc/passwd")
    work.git("add", LOCK)
    work.git("commit", "-qm", "link")
    assert gaps(check(work, old)) == [LOCK]


def test_without_advisories_that_can_be_read(work: Worked, own_folders: Path) -> None:
    old = work.git("rev-parse", "HEAD")
    database = own_folders / "data" / "advisories" / "osv.sqlite"
    database.parent.mkdir(parents=True)
    database.write_text("damaged")
    work.commit(LOCK, lock(lodash=VULNERABLE))
    verdict = check(work, old)
    assert (gaps(verdict), verdict.findings, verdict.code) == (["the lockfiles"], (), 0)


@pytest.mark.parametrize(
    ("value", "code"), [("critical", 0), ("HIGH", 1), ("low", 1), ("unknown", 1), ("never", 0)]
)
def test_fail_on_is_a_git_setting(work: Worked, value: str, code: int) -> None:
    old = work.git("rev-parse", "HEAD")
    work.commit(LOCK, lock(lodash="4.17.20"))
    work.git("config", "cortex-git.failOn", value)
    verdict = check(work, old)
    assert {one.finding.severity for one in verdict.findings} == {"high"}
    assert verdict.code == code


def test_unknown_ranks_below_low() -> None:
    assert HookSettings(fail_on="low").stopping == ("critical", "high", "medium", "low")
    assert HookSettings(fail_on="unknown").stopping == SEVERITIES


def test_an_ignore_file_that_is_not_there_is_one_line(work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    work.commit(LOCK, lock(lodash=VULNERABLE))
    work.git("config", "cortex-git.ignoreFile", "gone.toml")
    with pytest.raises(BadInput, match=r"gone\.toml"):
        check(work, old)


def test_a_setting_for_one_push(work: Worked) -> None:
    """`git -c cortex-git.failOn=never push`, as the hook gets it."""
    given = hook_environment({"GIT_CONFIG_PARAMETERS": "'cortex-git.failOn'='never'", "GIT_DIR": ""})
    assert read_settings(Repository(work.top, given).git).fail_on is None


def test_whether_gaps_stop_anything_is_not_guessed(work: Worked) -> None:
    work.git("config", "cortex-git.incomplete", "yes")
    with pytest.raises(BadInput, match="incomplete"):
        read_settings(Repository(work.top, {}).git)


def test_a_severity_that_there_is_none_of_is_told_and_the_default_counts(work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    work.git("config", "cortex-git.failOn", "hihg")
    work.commit(LOCK, lock(lodash=FIXED))
    verdict = check(work, old)
    told = next(gap for gap in verdict.not_scanned if gap.what == "what should stop a push")
    assert told.reason == (
        "the git setting cortex-git.failOn is 'hihg': set it to one of critical, high, medium, low, unknown,"
        " never; until then high counts"
    )
    assert (verdict.code, verdict.settings.fail_on) == (0, "high")
    work.git("config", "cortex-git.incomplete", "block")
    assert check(work, old).code == 3
    work.commit(LOCK, lock(lodash=VULNERABLE))
    assert check(work, old).code == 1


def test_an_ignore_file_that_the_settings_name(work: Worked) -> None:
    old = work.git("rev-parse", "HEAD")
    work.commit(LOCK, lock(lodash=VULNERABLE))
    all_of_them = check(work, old)
    entries = "".join(
        f'[[ignore]]\nid = "{one.finding.id}"\nreason = "not reached"\n' for one in all_of_them.findings[1:]
    )
    work.write("ignored.toml", entries + '[[ignore]]\nid = "CVE-1-1"\nreason = "x"\nexpires = 2020-01-01\n')
    assert check(work, old).suppressed == 0  # nobody named it
    work.git("config", "cortex-git.ignoreFile", "ignored.toml")
    verdict = check(work, old)
    assert (len(verdict.findings), verdict.suppressed) == (1, len(all_of_them.findings) - 1)
    assert "expired on 2020-01-01" in verdict.notes[0]


def test_staged_files_against_head_and_unchanged_ones_in_full(work: Worked) -> None:
    work.commit(LOCK, lock(lodash=VULNERABLE))
    work.write("a/" + LOCK, lock(lodash=VULNERABLE))
    work.git("add", "a")
    repository = Repository(work.top, {})

    def look(*paths: str) -> Verdict:
        return check_files(repository, HookSettings(), paths)

    assert found(look("a/" + LOCK, "readme", "gone")) == {("a/" + LOCK, "lodash")}
    assert found(look(LOCK)) == {(LOCK, "lodash")}
    work.write(LOCK, lock(lodash=VULNERABLE, x="1.0.0"))
    work.git("add", LOCK)
    assert found(look(LOCK)) == set()
    below = Repository(work.top / "a", {})
    assert found(check_files(below, HookSettings(), [LOCK])) == {("a/" + LOCK, "lodash")}


def test_lockfiles_that_were_named_and_cannot_be_looked_at(work: Worked) -> None:
    """Passed over in silence they would count as fine."""
    name = os.fsdecode(b"caf\xe9/") + LOCK
    work.write(name, lock(lodash=VULNERABLE))
    work.git("add", ".")
    verdict = check_files(Repository(work.top, {}), HookSettings(), [name, "gone/" + LOCK, "/x/go.mod", "no"])
    assert found(verdict) == {("caf\\xe9/" + LOCK, "lodash")}
    assert sorted(gaps(verdict)) == ["/x/go.mod", "gone/" + LOCK]


def test_staged_before_the_first_commit(tmp_path: Path) -> None:
    from gitworld import git

    git(tmp_path, "init", "-q")
    (tmp_path / LOCK).write_text(lock(lodash=VULNERABLE))
    git(tmp_path, "add", LOCK)
    verdict = check_files(Repository(tmp_path, {}), HookSettings(), [LOCK])
    assert found(verdict) == {(LOCK, "lodash")}


def test_a_bare_repository_and_a_linked_work_tree(work: Worked, tmp_path: Path) -> None:
    old = work.git("rev-parse", "HEAD")
    work.commit(LOCK, lock(lodash=VULNERABLE))
    work.git("push", "-q", "origin", "main")
    work.git("worktree", "add", "-q", str(tmp_path / "tree"))
    for folder in (work.remote, tmp_path / "tree"):
        assert found(check(Worked(folder, work.remote), old, remote="")) == {(LOCK, "lodash")}
