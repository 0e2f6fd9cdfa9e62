"""Clones that only coordinate: the address that others get, and what is in such a clone."""

import subprocess
from pathlib import Path

import pytest
from gitworld import add_tasks, claim_all, finish, git

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.store.cloning import joining_clone, shared_address
from cortex_git.store.coordination import Coordination
from cortex_git.store.creation import create
from cortex_git.store.refs import RemoteUnreachable


@pytest.fixture
def host(tmp_path: Path, bare: Path) -> Coordination:
    create(tmp_path / "host", str(bare))
    return Coordination.open(tmp_path / "host")


def address(host: Coordination, url: str) -> str:
    git(host.repository.folder, "remote", "set-url", "origin", url)
    return shared_address(host.repository)


def test_a_folder_is_named_so_that_it_is_found_from_anywhere(host: Coordination, bare: Path) -> None:
    assert shared_address(host.repository) == str(bare)
    assert address(host, "../remote.git") == str(bare)
    assert address(host, f"file://{bare}") == str(bare)


@pytest.mark.parametrize(
    "url",
    ["git@example.invalid:o/r.git", "ssh://git@example.invalid/o/r.git", "https://example.invalid/o/r.git"],
)
def test_an_address_of_a_network_is_given_as_it_is(host: Coordination, url: str) -> None:
    assert address(host, url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://token@example.invalid/r",
        "https://u:s3cret@example.invalid/r",
        "ssh://u:s3cret@h/r",
        "https://example.invalid/r?private_token=s3cret",
    ],
)
def test_credentials_are_given_to_nobody(host: Coordination, url: str) -> None:
    with pytest.raises(BadInput) as raised:
        address(host, url)
    assert "token" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_without_a_remote_there_is_nothing_to_join(tmp_path: Path) -> None:
    create(tmp_path / "alone", None)
    with pytest.raises(BadInput, match="no remote"):
        shared_address(Coordination.open(tmp_path / "alone").repository)


def test_a_clone_takes_part_and_holds_no_files_of_the_branch(
    host: Coordination, bare: Path, tmp_path: Path
) -> None:
    (host.repository.folder / "code.py").write_text("print()\n")
    git(host.repository.folder, "add", "code.py")
    git(host.repository.folder, "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-qm", "code")
    git(host.repository.folder, "push", "-q", "origin", "main")
    names = [task.task for task in add_tasks(host, 3)]
    joining_clone(tmp_path / "joined", str(bare), "main")
    joined = Coordination.open(tmp_path / "joined")
    assert joined.repository.host != host.repository.host
    finish(joined, claim_all(joined))
    joined.fold()
    host.pull()
    assert all(host.is_finished(name) for name in names)
    assert [path.name for path in (tmp_path / "joined").iterdir() if path.name != ".git"] == ["coordination"]


def test_a_clone_that_is_there_gets_the_settings_of_today(
    host: Coordination, bare: Path, tmp_path: Path
) -> None:
    joining_clone(tmp_path / "joined", str(bare), "main")
    before = Coordination.open(tmp_path / "joined").repository
    config = host.repository.folder / "coordination" / "config.toml"
    config.write_text(f"{config.read_text()}\n[leases]\nlease_s = 77\n")
    git(
        host.repository.folder, "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit", "-qam", "lease"
    )
    git(host.repository.folder, "push", "-q", "origin", "main")
    joining_clone(tmp_path / "joined", str(bare), "main")
    after = Coordination.open(tmp_path / "joined").repository
    assert (after.settings.leases.lease_s, after.host) == (77, before.host)


def test_what_cannot_be_joined_is_said_in_one_line(host: Coordination, bare: Path, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match=r"/nowhere is not on "):
        joining_clone(tmp_path / "a", str(tmp_path / "nowhere"), "main")
    assert not (tmp_path / "a").exists()
    (tmp_path / "no-repository").mkdir()
    with pytest.raises(RemoteUnreachable):
        joining_clone(tmp_path / "b", str(tmp_path / "no-repository"), "main")
    with pytest.raises(RemoteUnreachable):
        joining_clone(tmp_path / "c", str(bare), "another")
    empty = tmp_path / "plain.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(bare), str(empty)], check=True)
    tree = git(empty, "hash-object", "-t", "tree", "-w", "/dev/null")
    commit = git(empty, "-c", "user.name=a", "-c", "user.email=a@b.invalid", "commit-tree", "-m", "x", tree)
    git(empty, "update-ref", "refs/heads/main", commit)
    with pytest.raises(EnvironmentProblem, match="has no coordination/config"):
        joining_clone(tmp_path / "d", str(empty), "main")


def test_the_hash_is_the_remote_s(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "--object-format=sha256", "-b", "main", "long.git")
    create(tmp_path / "first", str(tmp_path / "long.git"))
    joining_clone(tmp_path / "joined", str(tmp_path / "long.git"), "main")
    assert len(git(tmp_path / "joined", "rev-parse", "refs/cortex-joined")) == 64
