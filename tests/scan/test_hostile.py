"""Hostile repositories run nothing, hang nothing, stay under 500 MB, and cost only their own row."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cortex_git.scan.cache import ScanCache
from cortex_git.scan.reading import Limits
from cortex_git.scan.records import RepositoryScan
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

sys.path.insert(0, str(Path(__file__).parent))
import hostile_repositories as hostile
from githttp import serve

CLEAN = "jinja2==3.1.4 --hash=sha256:0\n"
VULNERABLE = "jinja2==2.10 --hash=sha256:0\n"
POETRY = 'package = []\n\n[metadata]\nlock-version = "2.0"\n'
MEGABYTE = 1_000_000

SCAN_AND_MEASURE = """
import json, re, resource, sys
from pathlib import Path
from cortex_git.runners import scan
rows = [scan.scan_row(payload) for payload in json.load(sys.stdin)]
# Not ru_maxrss: a process takes that over from the one that started it, here a large pytest.
own = int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps({"rows": rows, "peak": (own + children) * 1024}))
"""


class Measured(NamedTuple):
    rows: list[RepositoryScan]
    peak_bytes: int
    """Of the scanning process and its largest child together."""


@pytest.fixture
def measure(database, tmp_path):
    """Scans in a process of its own, so that its memory can be told."""

    def run(*urls: str | Path, **limits: Any) -> Measured:
        common = {"database": str(database.path), "cache_dir": str(tmp_path / "cache"), "limits": limits}
        payloads = [{"repo": str(url), "url": str(url), **common} for url in urls]
        out = subprocess.run(
            [sys.executable, "-c", SCAN_AND_MEASURE],
            input=json.dumps(payloads),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            timeout=100,
        )
        assert out.returncode == 0, out.stderr
        value = json.loads(out.stdout)
        rows = [RepositoryScan.from_json(row) for row in value["rows"]]
        return Measured(rows, value["peak"])

    return run


def reasons(row: RepositoryScan) -> dict[str, str]:
    return {gap.what: gap.reason for gap in row.not_scanned}


def test_no_setting_hook_filter_or_submodule_runs(make_repository, database, git, tmp_path):
    files = {
        "requirements.txt": VULNERABLE,
        "poetry.lock": POETRY,
        ".gitattributes": "* filter=trap diff=trap\n*.lock filter=lfs diff=lfs\n",
        ".gitmodules": '[submodule "sub"]\n\tpath = sub\n\turl = ext::sh -c "touch canary"\n',
        "Cargo.lock": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    }
    repo = make_repository(files, checkout=True)
    git(repo, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    git(repo, "commit", "-qm", "x")
    missing = git(repo, "rev-parse", "HEAD:poetry.lock")
    canary = tmp_path / "canary"
    hostile.set_traps(repo, canary)
    hostile.loose_object(repo, missing).unlink()
    for command in (["status"], ["cat-file", "blob", missing]):
        subprocess.run(["git", *command], cwd=repo, capture_output=True)
        assert canary.exists(), "the trap does not work, so this test would prove nothing"
        canary.unlink()

    row = scan_repository(Source("r", str(repo)), database=database)

    assert not canary.exists()
    assert (row.status, row.error) == ("incomplete", None)
    assert [finding.package for finding in row.findings] == ["jinja2"]
    found = reasons(row)
    assert found.keys() == {"poetry.lock", "Cargo.lock", "sub"}
    assert found["poetry.lock"] == "its content is not in the repository (partial clone, or damaged)"


def test_a_bare_repository_below_a_checkout_and_its_owner_do_not_matter(make_repository, database, tmp_path):
    canary = tmp_path / "canary"
    repo = make_repository({"requirements.txt": VULNERABLE}, checkout=True)
    hostile.set_traps(repo, canary)
    if os.getuid() == 0:
        for folder, _, names in os.walk(repo):
            for name in [folder, *(os.path.join(folder, name) for name in names)]:
                os.chown(name, 12345, 12345, follow_symlinks=False)
    row = scan_repository(Source("r", str(repo / ".git")), database=database)
    assert row.findings and not row.error
    assert not canary.exists()


def test_nothing_below_the_repository_is_written(make_repository, database):
    repo = make_repository({"requirements.txt": VULNERABLE}, checkout=True)
    before = _tree(repo)
    assert scan_repository(Source("r", str(repo)), database=database).findings
    assert _tree(repo) == before


def _tree(top: Path) -> list[tuple[str, int, int]]:
    return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_size) for p in [top, *top.rglob("*")])


def test_a_lockfile_of_500_mb_is_never_loaded(make_repository, git, tmp_path, measure):
    repo = tmp_path / "srv" / "big"
    repo.mkdir(parents=True)
    git(repo, "init", "-q", "--bare")
    git(repo, "config", "uploadpack.allowFilter", "true")
    hostile.fast_import(repo, hostile.huge_file("package-lock.json", 500, {"requirements.txt": VULNERABLE}))
    with serve(tmp_path / "srv") as server:
        measured = measure(repo, f"{server.url}/big")
    for row in measured.rows:
        assert (row.status, row.error) == ("incomplete", None)
        assert reasons(row) == {"package-lock.json": "is 524,288,000 bytes, the limit is 16,777,216"}
        assert row.findings
    assert measured.peak_bytes < 500 * MEGABYTE


def test_a_small_lockfile_packed_as_a_delta_on_a_huge_base(make_repository, database, measure):
    repo = make_repository({"main.c": "x"})
    tree = hostile.odd_names(
        repo, {b"requirements.txt": VULNERABLE.encode(), b"poetry.lock": POETRY.encode()}
    )
    hostile.commit_tree(repo, tree)
    oid = hostile.delta_bomb(repo, 400, VULNERABLE.encode())
    hostile.loose_object(repo, oid).unlink()
    measured = measure(repo)
    [row] = measured.rows
    assert row.status == "incomplete"
    assert reasons(row) == {"requirements.txt": "its content is damaged or does not match its object id"}
    assert measured.peak_bytes < 500 * MEGABYTE


def test_a_hundred_thousand_files(tmp_path, git, measure):
    repo = tmp_path / "many"
    repo.mkdir()
    git(repo, "init", "-q")
    hostile.fast_import(repo, hostile.many_files(100_000, {"requirements.txt": VULNERABLE}))
    measured = measure(repo)
    [row] = measured.rows
    assert (row.status, row.error, len(row.findings)) == ("scanned", None, 1)
    assert measured.peak_bytes < 500 * MEGABYTE


def test_a_tree_that_repeats_itself_without_end(make_repository, measure):
    repo = make_repository({"main.c": "x"})
    hostile.commit_tree(repo, hostile.tree_bomb(repo, 12))
    measured = measure(repo)
    [row] = measured.rows
    assert row.status == "incomplete"
    assert reasons(row)["the files beyond a limit"] == "the repository has more than 200,000 files"
    assert measured.peak_bytes < 500 * MEGABYTE


def test_contents_that_explode_when_parsed(make_repository, measure):
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    anchors = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    files = {
        "a/package-lock.json": "[" * 200_000,
        "b/package-lock.json": '{"packages":' * 100_000 + "1" + "}" * 100_000,
        "c/package-lock.json": '{"packages":[' + "[]," * 5_000_000 + "[]]}",
        "d/composer.lock": '{"packages":[' + '{"":0},' * 2_000_000 + "{}]}",
        "e/pnpm-lock.yaml": "[" * 100_000,
        "f/pnpm-lock.yaml": anchors,
        "g/pom.xml": f'<!DOCTYPE p [<!ENTITY l0 "ha">{laughs}]><project>&l11;</project>',
        "h/pom.xml": "<a>" * 500_000,
        "i/poetry.lock": "a." * 1_000_000 + "b = 1\n",
        "j/poetry.lock": "x = " + "[" * 100_000,
        "k/yarn.lock": "a:\n" + "".join(" " * n + "b:\n" for n in range(3000)),
        "l/requirements.txt": VULNERABLE,
        "m/requirements.txt": "a" * 8_000_000,
        "n/Gemfile.lock": " " * 8_000_000,
        "o/go.mod": "require (" * 500_000,
        "p/pnpm-lock.yaml": "packages:\n" + "".join(f"  /a/{n}: {{}}\n" for n in range(700_000)),
    }
    measured = measure(make_repository(files))
    [row] = measured.rows
    assert (row.status, row.error) == ("incomplete", None)
    assert [finding.lockfile for finding in row.findings] == ["l/requirements.txt"]
    seen = {what.split(":")[0] for what in reasons(row)}
    assert files.keys() - {"l/requirements.txt"} <= seen
    assert measured.peak_bytes < 500 * MEGABYTE


def test_one_lockfile_that_takes_too_long_costs_only_itself(make_repository, database, monkeypatch, tmp_path):
    from cortex_git.scan import packages

    real = packages.read_lockfile

    def slow(path, data, *others):
        while path == "a/requirements.txt":
            pass
        if path == "b/requirements.txt":
            try:
                bytearray(1 << 33)
            except MemoryError:
                raise
        return real(path, data, *others)

    monkeypatch.setattr(packages, "read_lockfile", slow)
    repo = make_repository({f"{f}/requirements.txt": VULNERABLE for f in "abc"})
    cache = ScanCache(tmp_path / "cache")
    limits = Limits(parse_s=0.2)
    row = scan_repository(Source("r", str(repo)), database=database, limits=limits, cache=cache)
    assert reasons(row) == {
        "a/requirements.txt": "takes over 0.2 s to read",
        "b/requirements.txt": "takes over 268,435,456 bytes of memory to read",
    }
    assert [finding.lockfile for finding in row.findings] == ["c/requirements.txt"]
    monkeypatch.undo()
    again = scan_repository(Source("r", str(repo)), database=database, cache=cache)
    assert again.status == "scanned", "what was given up must not be remembered as read"


def test_names_that_try_to_mislead(make_repository, database):
    names = [
        b"requirements\n.txt",
        b"requirements\x1b[31m.txt",
        b"-requirements.txt",
        b"--output=x requirements.txt",
        b"requirements\xff.txt",
        b"..",
        b".git",
        b"requirements\t100644 .txt",
        "requirements-\u202etxt.txt".encode(),
    ]
    repo = make_repository({"main.c": "x"})
    hostile.commit_tree(repo, hostile.odd_names(repo, dict.fromkeys(names, VULNERABLE.encode())))
    row = scan_repository(Source("r", str(repo)), database=database)
    assert (row.status, row.error, len(row.findings)) == ("scanned", None, 1)
    [finding] = row.findings
    assert 1 + len(finding.other_lockfiles) == 7
    json.dumps(row.to_json()).encode()


def test_a_repository_that_lies_about_an_object_poisons_nobody_elses_cache(
    make_repository, database, git, tmp_path
):
    honest = make_repository({"requirements.txt": VULNERABLE}, "honest")
    liar = make_repository({"main.c": "x"}, "liar")
    tree = hostile.odd_names(liar, {b"requirements.txt": VULNERABLE.encode()})
    hostile.commit_tree(liar, tree)
    oid = git(honest, "rev-parse", "HEAD:requirements.txt")
    hostile.write_loose_blob(liar, oid, CLEAN.encode())
    cache = ScanCache(tmp_path / "cache")
    row = scan_repository(Source("liar", str(liar)), database=database, cache=cache)
    assert reasons(row) == {"requirements.txt": "its content is damaged or does not match its object id"}
    assert scan_repository(Source("honest", str(honest)), database=database, cache=cache).findings


@pytest.mark.parametrize("damage", ["blob", "tree", "commit", "pack", "head", "no refs", "packed-refs"])
def test_damage_costs_one_row(make_repository, database, git, damage):
    repo = make_repository({"requirements.txt": CLEAN, "app/poetry.lock": POETRY}, checkout=True)
    oids = {
        "blob": git(repo, "rev-parse", "HEAD:requirements.txt"),
        "tree": git(repo, "rev-parse", "HEAD:app"),
        "commit": git(repo, "rev-parse", "HEAD"),
    }
    if damage in oids:
        path = hostile.loose_object(repo, oids[damage])
        path.chmod(0o644)
        path.write_bytes(b"garbage" * 20)
    elif damage == "pack":
        git(repo, "gc", "-q")
        [pack] = (repo / ".git" / "objects" / "pack").glob("*.pack")
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:60])
    elif damage == "head":
        (repo / ".git" / "HEAD").write_bytes(b"\x00\xff garbage")
    elif damage == "no refs":
        (repo / ".git" / "refs").rename(repo / ".git" / "elsewhere")
    else:
        (repo / ".git" / "packed-refs").write_bytes(b"garbage\n" * 1000)
    row = scan_repository(Source("r", str(repo)), database=database)
    assert row.status in ("failed", "incomplete")
    assert row.error or row.not_scanned


@pytest.mark.parametrize("name", ["HEAD", "config", "packed-refs", "refs/heads/main"])
def test_a_pipe_in_place_of_a_file_hangs_nothing(make_repository, database, name):
    repo = make_repository({"requirements.txt": VULNERABLE}, checkout=True)
    (repo / ".git" / name).unlink(missing_ok=True)
    os.mkfifo(repo / ".git" / name)
    row = scan_repository(Source("r", str(repo)), database=database, limits=Limits(time_s=2))
    assert row.status == "failed" or (name == "packed-refs" and row.findings)


def test_a_git_file_that_points_nowhere(tmp_path, database):
    for number, content in enumerate(("gitdir: /nowhere\n", "garbage", "gitdir: .\n", "gitdir: /dev/zero\n")):
        repo = tmp_path / str(number)
        repo.mkdir()
        (repo / ".git").write_text(content)
        row = scan_repository(Source("r", str(repo)), database=database)
        assert row.status == "failed" and row.error
