"""A task's own folder and branch: where it starts, what is published, and when the folder goes."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from codeworld import attempt, bare_of, branches, commit, repository
from gitworld import assert_sound, git, hook

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.runners.agent.checkout import NotPublished, Published, leftovers
from cortex_git.runners.agent.clones import FOLDER
from cortex_git.runners.agent.worktrees import folder_for
from cortex_git.store.creation import create


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "source", {"a.txt": "one\n", "src/b.txt": "two\n", ".gitignore": "out/\n"})


@pytest.fixture
def remote(source: Path, tmp_path: Path) -> Path:
    return bare_of(source, tmp_path / "remote.git")


def done(published: Published | None) -> Published:
    assert published is not None
    assert published.pushed
    return published


def test_what_changed_is_on_a_branch_of_its_own(remote: Path) -> None:
    main = git(remote, "rev-parse", "main")
    checkout = attempt(remote, "fix-it", epoch=3)
    assert (checkout.branch, checkout.base) == ("cortex/fix-it-e3", main)
    (checkout.folder / "a.txt").write_text("changed\n")
    (checkout.folder / "src" / "b.txt").unlink()
    (checkout.folder / "new.txt").write_text("1\n2\n")
    (checkout.folder / "out").mkdir()
    (checkout.folder / "out" / "build").write_text("not for anyone\n")
    (checkout.folder / "__pycache__").mkdir()
    (checkout.folder / "__pycache__" / "a.pyc").write_text("nor this\n")
    assert checkout.changes() == ["a.txt", "new.txt", "src/b.txt"]
    assert b"+changed" in checkout.diff(10_000)
    assert len(checkout.diff(20)) == 20

    published = done(checkout.publish("Say more"))
    assert published.stat.by_file == (("a.txt", 1, 1), ("new.txt", 2, 0), ("src/b.txt", 0, 1))
    assert published.diffstat.endswith("files: 3, insertions: 3, deletions: 2")
    assert branches(remote) == {"main": main, "cortex/fix-it-e3": published.commit}
    assert git(remote, "log", "-1", "--format=%P|%s|%an|%ce", published.commit) == (
        f"{main}|Say more|cortex-git worker-1|here@cortex-git.invalid"
    )
    assert checkout.leave() is None
    assert not checkout.folder.exists()
    assert leftovers(None) == []
    assert_sound(remote)


def test_nothing_changed_leaves_no_branch(remote: Path) -> None:
    checkout = attempt(remote)
    (checkout.folder / "a.txt").touch()
    assert checkout.changes() == []
    assert checkout.publish("Nothing") is None
    assert checkout.leave() is None
    assert list(branches(remote)) == ["main"]
    [clone] = (Path(os.environ["CORTEX_DATA_HOME"]) / FOLDER).glob("*.git")
    assert git(clone, "for-each-ref") == ""
    assert list((clone / "worktrees").iterdir()) == []


def test_more_work_follows_on_the_same_branch(remote: Path) -> None:
    checkout = attempt(remote)
    (checkout.folder / "a.txt").write_text("half\n")
    first = done(checkout.publish("Half"))
    assert done(checkout.publish("Half")) == first
    (checkout.folder / "a.txt").write_text("whole\n")
    second = done(checkout.publish("Whole"))
    assert git(remote, "log", "--format=%s", "main..cortex/t1-e1").splitlines() == ["Whole", "Half"]
    assert second.stat.by_file == (("a.txt", 1, 1),)
    assert branches(remote)["cortex/t1-e1"] == second.commit
    (checkout.folder / "a.txt").write_text("and then some\n")
    assert checkout.leave() == checkout.folder
    [left] = leftovers(None)
    assert left.record.reason == "it has changes that were not published"
    assert (left.folder, left.record.commit, left.record.pushed) == (checkout.folder, second.commit, True)


def test_it_lies_in_the_coordination_clone_and_its_record_beside_it(remote: Path, tmp_path: Path) -> None:
    create(tmp_path / "host", None)
    checkout = attempt(remote, folder=str(tmp_path / "host"))
    assert checkout.folder.parent == tmp_path / "host" / ".git" / "cortex" / "worktrees"
    record = json.loads((checkout.folder.parent / f"{checkout.folder.name}.json").read_text())
    assert (record["task"], record["epoch"], record["branch"]) == ("t1", 1, "cortex/t1-e1")
    assert leftovers(tmp_path / "host") == []  # its worker, this process, lives
    assert checkout.leave() is None
    assert list(folder_for(str(tmp_path / "host")).iterdir()) == []
    assert git(tmp_path / "host", "status", "--porcelain") == ""


@pytest.mark.parametrize("which", ["branch", "tag", "commit"])
def test_a_ref_is_where_it_starts(source: Path, tmp_path: Path, which: str) -> None:
    main = git(source, "rev-parse", "HEAD")
    git(source, "switch", "-q", "-c", "topic")
    topic = commit(source, {"topic.txt": "t\n"})
    git(source, "tag", "v1")
    git(source, "switch", "-q", "main")
    later = commit(source, {"a.txt": "later\n"})
    ref = {"branch": "topic", "tag": "v1", "commit": topic}[which]
    checkout = attempt(bare_of(source, tmp_path / "r.git"), ref=ref)
    assert (checkout.folder / "topic.txt").exists()
    assert git(checkout.folder, "rev-parse", "HEAD") == topic
    assert checkout.base == main != later  # where the branch left the default one
    (checkout.folder / "topic.txt").write_text("u\n")
    assert done(checkout.publish("On topic")).stat.by_file == (("topic.txt", 1, 1),)


def test_a_checkout_in_use_gets_a_branch_and_keeps_its_files(source: Path) -> None:
    (source / "a.txt").write_text("not committed\n")
    checkout = attempt(source)
    assert (checkout.folder / "a.txt").read_text() == "one\n"
    (checkout.folder / "a.txt").write_text("changed\n")
    published = done(checkout.publish("Change"))
    assert branches(source)["cortex/t1-e1"] == published.commit
    assert git(source, "status", "--porcelain") == " M a.txt"
    assert (source / "a.txt").read_text() == "not committed\n"


def test_other_formats(tmp_path: Path, source: Path) -> None:
    commit(source, {"a.txt": "second\n"})
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{source}", str(shallow)], check=True)
    longer = repository(tmp_path / "longer", {"a.txt": "one\n"}, "--object-format=sha256")
    for number, repo in enumerate((shallow, longer)):
        checkout = attempt(repo, f"t{number}")
        (checkout.folder / "a.txt").write_text("changed\n")
        published = done(checkout.publish("Change"))
        assert git(repo, "show", f"{published.branch}:a.txt") == "changed"
        assert checkout.leave() is None
        assert_sound(repo)


def test_what_cannot_be_worked_on(tmp_path: Path, remote: Path) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path / "empty.git")], check=True)
    with pytest.raises(EnvironmentProblem, match="has no 'HEAD'"):
        attempt(tmp_path / "empty.git")
    with pytest.raises(EnvironmentProblem, match="has no 'nowhere'"):
        attempt(remote, ref="nowhere")
    with pytest.raises(EnvironmentProblem, match="not a folder"):
        attempt(tmp_path / "absent.git")
    for name in ("../t", "T", "t/../..", "-t", ""):
        with pytest.raises(BadInput):
            attempt(remote, name)
    for address in ("ext::sh -c true", "--upload-pack=x", "https://u:p@example.invalid/r", ""):
        with pytest.raises(BadInput):
            attempt(address)
    assert list(folder_for("").glob("*")) == []


def test_an_earlier_attempt_goes_on_under_a_new_branch(remote: Path) -> None:
    first = attempt(remote, "t1")
    (first.folder / "a.txt").write_text("half\n")
    half = done(first.publish("Unfinished: half"))
    first.leave()
    earlier = {"resume": {"branch": half.branch, "commit": half.commit}}

    second = attempt(remote, "t1-r1", earlier=earlier)
    assert (second.folder / "a.txt").read_text() == "half\n"
    assert (second.base, second.note) == (git(remote, "rev-parse", "main"), "")
    (second.folder / "new.txt").write_text("rest\n")
    whole = done(second.publish("Whole"))
    assert [path for path, _, _ in whole.stat.by_file] == ["a.txt", "new.txt"]
    assert git(remote, "rev-parse", f"{whole.commit}^") == half.commit
    assert branches(remote)[half.branch] == half.commit

    third = attempt(remote, "t1-r2", earlier={"resume": {"branch": whole.branch, "commit": whole.commit}})
    same = done(third.publish("Nothing more to do"))
    assert (same.branch, same.commit) == ("cortex/t1-r2-e1", whole.commit)
    assert same.stat == whole.stat


def test_earlier_work_that_was_merged_or_is_gone(remote: Path, source: Path) -> None:
    first = attempt(remote, "t1")
    (first.folder / "a.txt").write_text("half\n")
    half = done(first.publish("Half"))
    first.leave()
    resume = {"resume": {"branch": half.branch, "commit": half.commit}}
    git(remote, "update-ref", "-d", f"refs/heads/{half.branch}")
    git(remote, "update-ref", "refs/heads/main", half.commit)
    merged = attempt(remote, "t2", earlier=resume)
    assert (git(merged.folder, "rev-parse", "HEAD"), merged.note) == (half.commit, "")
    assert merged.publish("Nothing") is None

    gone = attempt(remote, "t3", earlier={"resume": {"branch": "cortex/x-e1", "commit": "0" * 39 + "1"}})
    assert "started anew" in gone.note
    for odd in ({"branch": ["x"], "commit": 7}, {"branch": "--upload-pack=x", "commit": "HEAD"}, "x", None):
        odder = attempt(remote, "t4", earlier={"resume": odd})
        assert git(odder.folder, "rev-parse", "HEAD") == half.commit


def test_a_remote_may_refuse(remote: Path) -> None:
    hook(remote, "update", 'echo "only people may name branches so"; exit 1')
    checkout = attempt(remote)
    (checkout.folder / "a.txt").write_text("changed\n")
    with pytest.raises(NotPublished, match="only people may name branches so") as refused:
        checkout.publish("Change")
    assert not refused.value.published.pushed
    assert (refused.value.published.branch, refused.value.published.stat.files) == (checkout.branch, 1)
    assert checkout.leave() == checkout.folder
    [left] = leftovers(None)
    assert "only people may" in left.record.reason
    assert git(Path(left.record.clone), "show", f"{left.record.commit}:a.txt") == "changed"
    assert list(branches(remote)) == ["main"]


def test_nothing_that_cleans_up_takes_work_away(remote: Path, tmp_path: Path) -> None:
    first, second = attempt(remote, "t1"), attempt(remote, "t2")
    [clone] = (Path(os.environ["CORTEX_DATA_HOME"]) / FOLDER).glob("*.git")
    aside = first.folder.rename(tmp_path / "aside")  # as on a disk that is not mounted now
    git(clone, "worktree", "prune", "--expire=now")
    git(clone, "gc", "--quiet", "--prune=now")
    aside.rename(first.folder)
    for checkout in (first, second):
        (checkout.folder / "a.txt").write_text(f"{checkout.branch}\n")
        assert done(checkout.publish("Change")).stat.files == 1
        assert checkout.leave() is None


def test_folders_that_programs_made_read_only_go_too(remote: Path) -> None:
    checkout = attempt(remote)
    kept = checkout.folder / "out" / "deep"
    kept.mkdir(parents=True)
    (kept / "file").write_text("cached\n")
    outside = checkout.folder.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("mine\n")
    (kept / "link").symlink_to(outside)
    kept.chmod(0o500)
    assert checkout.leave() is None
    assert not checkout.folder.exists()
    assert (outside / "file").read_text() == "mine\n"
