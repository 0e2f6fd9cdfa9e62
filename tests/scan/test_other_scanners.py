"""Other scanners beside ours: two real ones against servers of this machine, others by documented forms."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from gitworld import BESIDE, git
from httpworld import Served
from npmworld import npm_registry

from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.scan.advisories.database import open_starter
from cortex_git.scan.lockfiles import FORMATS, kind_of
from cortex_git.scan.others import reports
from cortex_git.scan.others.fixes import next_fix
from cortex_git.scan.others.outvoted import without_outvoted
from cortex_git.scan.others.programs import SCANNERS, Chosen, chosen
from cortex_git.scan.others.seen import Answer, Looked, Seen, Told, Unreadable
from cortex_git.scan.others.voting import voted
from cortex_git.scan.reading import Limits
from cortex_git.scan.records import Finding, Package, RepositoryScan
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.scan.scanner import scan_repository
from cortex_git.scan.sources import Source

COMMIT = ("-c", "user.name=a", "-c", "user.email=a@example.invalid", "commit", "-q", "-m")
LODASH = "CVE-2021-23337"
LOCK = {
    "name": "x", "version": "1.0.0", "lockfileVersion": 3, "requires": True,
    "packages": {
        "": {"name": "x", "version": "1.0.0", "dependencies": {"lodash": "4.17.15"}},
        "node_modules/lodash": {"version": "4.17.15"},
    },
}  # fmt: skip
FILES = {
    "requirements.txt": "jinja2==2.10  # via -r requirements.in\n",
    "web/package-lock.json": json.dumps(LOCK),
    "web/package.json": json.dumps(LOCK["packages"][""]),  # type: ignore[index]
}


def repository(folder: Path, files: Mapping[str, str]) -> Source:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", ".")
    git(folder, *COMMIT, "x")
    return Source(str(folder), str(folder))


def scanned(
    tmp_path: Path, files: Mapping[str, str], *scanners: Chosen, seconds: float = 120.0
) -> RepositoryScan:
    source = repository(tmp_path / "repo", files)
    with open_starter(tmp_path / "cache") as database:
        return scan_repository(source, database=database, others=scanners, limits=Limits(time_s=seconds))


def votes(row: RepositoryScan) -> dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]:
    return {(one.package, one.id): (one.found_by, one.missed_by) for one in row.findings}


@contextmanager
def osv_service(known: Mapping[str, list[dict[str, Any]]]) -> Iterator[str]:
    """A server that answers OSV's query API for package names."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            found = known.get(asked["package"]["name"], [])
            body = json.dumps({"vulns": found} if found else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    with Served(Handler) as served:
        yield f"{served.url}/v1/query"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Chosen]:
    """Put a program of that name, written in Python, first on the search path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def put(name: str, code: str) -> Chosen:
        path, script = folder / name, folder / f"{name}.py"
        script.write_text(f"import json, os, sys, time\nfrom pathlib import Path\n{code}\n")
        # Not the program's own first line: this Python may lie in a folder with a space.
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        path.chmod(0o755)
        return Chosen(name)

    return put


@pytest.mark.skipif(shutil.which("pip-audit", path=BESIDE) is None, reason="pip-audit is not installed")
def test_the_real_pip_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", BESIDE)
    own = {"name": "jinja2", "ecosystem": "PyPI"}
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.10.1"}]}]
    known = {
        "schema_version": "1.4.0",
        "affected": [{"package": own, "ranges": ranges}],
        "published": "2019-04-10T00:00:00Z",
    }
    advisories = [
        {
            **known,
            "id": "PYSEC-2019-217",
            "aliases": ["CVE-2019-10906", "GHSA-462w-v97r-4m45"],
            "summary": "s",
        },
        {**known, "id": "PYSEC-2999-1", "aliases": ["CVE-2999-0001"], "summary": "only theirs"},
    ]
    with osv_service({"jinja2": advisories}) as address:
        row = scanned(tmp_path, FILES, Chosen("pip-audit", ("-s", "osv", "--osv-url", address)))
    assert row.error is None
    assert {key: value for key, value in votes(row).items() if key[0] == "jinja2"} == {
        ("jinja2", "CVE-2019-10906"): (("cortex-git", "pip-audit"), ()),
        ("jinja2", "CVE-2020-28493"): (("cortex-git",), ("pip-audit",)),
        ("jinja2", "CVE-2999-0001"): (("pip-audit",), ("cortex-git",)),
    }
    theirs = next(one for one in row.findings if one.id == "CVE-2999-0001")
    assert (theirs.lockfile, theirs.line, theirs.version, theirs.fixed) == (
        "requirements.txt",
        1,
        "2.10",
        "2.10.1",
    )
    # It reads no npm lockfile, so its silence about one is no vote.
    assert votes(row)["lodash", LODASH] == (("cortex-git",), ())
    assert row.mark == ""


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_real_npm_audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advisory = {
        "id": 1, "url": "https://github.com/advisories/GHSA-35jh-r3h4-6jhm", "title": "Command injection",
        "severity": "high", "vulnerable_versions": "<4.17.21", "cwe": [],
        "cvss": {"score": 7.2, "vectorString": ""},
    }  # fmt: skip
    packages: dict[str, dict[str, dict[str, str]]] = {"lodash": {"4.17.15": {}, "4.17.21": {}}}
    with npm_registry(packages, {"lodash": [advisory]}) as address:
        monkeypatch.setenv("npm_config_registry", address)
        row = scanned(tmp_path, FILES, Chosen("npm-audit"))
    assert votes(row)["lodash", LODASH] == (("cortex-git", "npm-audit"), ())
    assert votes(row)["lodash", "CVE-2020-8203"] == (("cortex-git",), ("npm-audit",))


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_audit_looks_at_the_lockfile_it_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at one above it, where a `package.json` stands and beside the lockfile none does."""
    advisory = {
        "id": 1, "url": "https://github.com/advisories/GHSA-35jh-r3h4-6jhm", "title": "t", "severity": "high",
        "vulnerable_versions": "<4.17.21", "cwe": [], "cvss": {"score": 7.2, "vectorString": ""},
    }  # fmt: skip
    root = {"name": "r", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": {"name": "r"}}}
    files = {
        "package.json": '{"name": "r"}',
        "package-lock.json": json.dumps(root),
        "web/package-lock.json": json.dumps(LOCK),
    }
    with npm_registry({"lodash": {"4.17.15": {}, "4.17.21": {}}}, {"lodash": [advisory]}) as address:
        monkeypatch.setenv("npm_config_registry", address)
        row = scanned(tmp_path, files, Chosen("npm-audit"))
    assert votes(row)["lodash", LODASH] == (("cortex-git", "npm-audit"), ())


TRIVY = """
root = sys.argv[-1]
vulnerability = {"VulnerabilityID": "CVE-2021-23337", "VendorIDs": ["GHSA-35jh-r3h4-6jhm"],
    "PkgName": "lodash", "InstalledVersion": "4.17.15", "FixedVersion": "4.17.21",
    "Severity": "HIGH", "Title": "t", "CVSS": {"ghsa": {"V3Score": 7.2}}}
files = sorted(path.name for path in Path(root).rglob("*") if path.is_file())
assert files == ["package-lock.json", "package.json", "requirements.txt"]
lodash = {"Name": "lodash", "Identifier": {"PURL": "pkg:npm/lodash@4.17.15"}, "Version": "4.17.15"}
print(json.dumps({"Results": [
    {"Target": "web/package-lock.json", "Packages": [lodash], "Vulnerabilities": [vulnerability]},
    {"Target": "requirements.txt", "Packages": [{"Name": "Jinja2", "Version": "2.10"}]}]}))
"""
GRYPE = """
artifact = {"name": "lodash", "version": "4.17.15", "purl": "pkg:npm/lodash@4.17.15",
    "locations": [{"path": "/web/package-lock.json"}]}
vulnerability = {"id": "GHSA-35jh-r3h4-6jhm", "severity": "High", "fix": {"versions": ["4.17.21"]},
    "cvss": []}
print(json.dumps({"matches": [{"artifact": artifact, "vulnerability": vulnerability,
    "relatedVulnerabilities": [{"id": "CVE-2021-23337"}]}]}))
"""
OSV = """
root = sys.argv[-1]
package = {"package": {"name": "lodash", "version": "4.17.15", "ecosystem": "npm"},
    "groups": [{"ids": ["GHSA-35jh-r3h4-6jhm"], "max_severity": "7.2"}],
    "vulnerabilities": [{"id": "GHSA-35jh-r3h4-6jhm", "aliases": ["CVE-2021-23337"], "summary": "s"}]}
quiet = {"package": {"name": "jinja2", "version": "2.10", "ecosystem": "PyPI"}}
print(json.dumps({"results": [
    {"source": {"path": root + "/web/package-lock.json"}, "packages": [package]},
    {"source": {"path": root + "/requirements.txt"}, "packages": [quiet]}]}))
sys.exit(1)
"""


def test_three_more_by_their_documented_forms(tmp_path: Path, programs: Callable[[str, str], Chosen]) -> None:
    others = [programs("trivy", TRIVY), programs("grype", GRYPE), programs("osv-scanner", OSV)]
    row = scanned(tmp_path, FILES, *others)
    assert row.not_scanned == ()
    everybody = ("cortex-git", "grype", "osv-scanner", "trivy")
    assert votes(row)["lodash", LODASH] == (everybody, ())
    assert votes(row)["lodash", "CVE-2020-8203"] == (("cortex-git",), everybody[1:])
    assert sum(one.package == "lodash" for one in row.findings) == 2


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (
            "print('nonsense'); print('no database', file=sys.stderr); sys.exit(2)",
            "not JSON (status 2: no database)",
        ),
        ("print('[1]')", "not made of objects"),
        ("print('{\"Results\": [7]}')", "something else than objects"),
        ("time.sleep(60)", "took longer than"),
        ("os.kill(os.getpid(), 9)", "status -9"),
        ("while True: sys.stdout.write('x' * 65536)", "prints more than"),
        ("while True: sys.stderr.write('x' * 65536)", "prints more than"),
        ("print('no https://me:pass@h.invalid/x', file=sys.stderr)", "no https://h.invalid/x"),
    ],
    ids=["nonsense", "list", "number", "hangs", "dies", "prints much", "complains much", "password"],
)
def test_one_that_does_not_answer_is_a_gap_and_costs_no_finding(
    tmp_path: Path,
    programs: Callable[[str, str], Chosen],
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    reason: str,
) -> None:
    monkeypatch.setattr("cortex_git.scan.others.running.MOST_OUTPUT", 1 << 20)
    row = scanned(tmp_path, FILES, programs("trivy", code), seconds=8.0)
    assert row.status == "incomplete"
    (gap,) = row.not_scanned
    assert (gap.what, reason in gap.reason) == ("trivy", True), gap
    assert votes(row)["lodash", LODASH] == (("cortex-git",), ())


def test_time_that_one_scanner_used_up_costs_no_finding(
    tmp_path: Path, programs: Callable[[str, str], Chosen]
) -> None:
    others = [programs(name, "time.sleep(60)") for name in ("trivy", "grype")]
    row = scanned(tmp_path, FILES, *others, seconds=6.0)
    assert (row.status, row.error) == ("incomplete", None)
    assert [gap.what for gap in row.not_scanned] == ["trivy", "grype"]
    assert votes(row)["lodash", LODASH] == (("cortex-git",), ())


def test_what_a_scanner_leaves_behind_ends_with_it(
    tmp_path: Path, programs: Callable[[str, str], Chosen], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    pid = tmp_path / "pid"
    code = (
        "import subprocess\n"
        "loop = 'while :; do mkdir -p $0/x; date > $0/x/$RANDOM; done'\n"
        "child = subprocess.Popen(['bash', '-c', loop, sys.argv[-1]], start_new_session=True)\n"
        f"Path({str(pid)!r}).write_text(str(child.pid)); print('{{\"matches\": []}}')"
    )
    row = scanned(tmp_path, FILES, programs("grype", code))
    assert row.status == "scanned"
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(int(pid.read_text()), 0)
            time.sleep(0.05)
    assert list((tmp_path / "tmp").glob("cortex-git-others-*")) == []


def test_a_name_that_no_folder_takes_costs_no_finding(
    tmp_path: Path, programs: Callable[[str, str], Chosen]
) -> None:
    source = repository(tmp_path / "repo", FILES)
    folder = tmp_path / "repo"
    oid = git(folder, "rev-parse", "HEAD:requirements.txt")
    git(folder, "update-index", "--add", "--cacheinfo", f"100644,{oid},{'n' * 300}/requirements.txt")
    git(folder, *COMMIT, "long")
    with open_starter(tmp_path / "cache") as database:
        row = scan_repository(
            source, database=database, others=[programs("grype", "print('{\"matches\": []}')")]
        )
    assert row.error is None
    assert [gap.reason for gap in row.not_scanned] == [
        "cannot be laid out for other scanners: File name too long"
    ]
    assert ("lodash", LODASH) in votes(row)


def test_lockfiles_that_ours_reads_are_there_for_others(
    tmp_path: Path, programs: Callable[[str, str], Chosen]
) -> None:
    """What was read once does not count against the limit when it is read for them."""
    source = repository(tmp_path / "repo", FILES)
    size = sum(len(text) for text in FILES.values())
    with open_starter(tmp_path / "cache") as database:
        row = scan_repository(
            source, database=database, others=[programs("trivy", TRIVY)], limits=Limits(total_bytes=size)
        )
    assert row.not_scanned == ()
    assert votes(row)["lodash", LODASH] == (("cortex-git", "trivy"), ())


def test_nothing_to_look_at_is_no_gap_where_nothing_is_pinned(
    tmp_path: Path, programs: Callable[[str, str], Chosen]
) -> None:
    scanner = programs("osv-scanner", "sys.exit(128)")
    assert scanned(tmp_path, {"requirements.txt": "# none\n"}, scanner).status == "scanned"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("osv-scanner", "sys.exit(128)"),
        ("osv-scanner", "print('{\"results\": []}')"),
        ("trivy", "print('{\"SchemaVersion\": 2}')"),
    ],
    ids=["osv-scanner: no packages", "osv-scanner: none named", "trivy: none named"],
)
def test_silence_about_a_lockfile_is_a_gap_and_no_vote(
    tmp_path: Path, programs: Callable[[str, str], Chosen], name: str, code: str
) -> None:
    """Both pass over a lockfile that they cannot read, and Trivy says nothing and ends with status 0."""
    row = scanned(tmp_path, FILES, programs(name, code))
    assert row.status == "incomplete"
    assert sorted(gap.what for gap in row.not_scanned) == [
        f"requirements.txt by {name}",
        f"web/package-lock.json by {name}",
    ]
    assert votes(row)["lodash", LODASH] == (("cortex-git",), ())


@pytest.mark.parametrize(
    ("name", "nothing", "path"),
    [
        ("trivy", {"SchemaVersion": 2}, "requirements-dev.txt"),
        ("trivy", {"SchemaVersion": 2}, "requirements/base.txt"),
        ("osv-scanner", {"results": []}, "requirements/base.txt"),
        ("grype", {"matches": []}, "requirements/base.txt"),
    ],
)
def test_silence_about_a_file_that_it_does_not_read_is_no_gap_and_no_vote(
    tmp_path: Path, programs: Callable[[str, str], Chosen], name: str, nothing: object, path: str
) -> None:
    scanner = programs(name, f"print(json.dumps({nothing!r}))")
    row = scanned(tmp_path, {path: FILES["requirements.txt"]}, scanner)
    assert (row.status, row.not_scanned) == ("scanned", ())
    assert votes(row)["jinja2", "CVE-2019-10906"] == (("cortex-git",), ())


def test_a_file_that_it_reads_only_when_told_to_has_its_vote(
    tmp_path: Path, programs: Callable[[str, str], Chosen]
) -> None:
    """As Trivy does with `--file-patterns`."""
    result = {"Target": "requirements-dev.txt", "Packages": [{"Name": "Jinja2", "Version": "2.10"}]}
    scanner = programs("trivy", f"print(json.dumps({ {'Results': [result]}!r}))")
    row = scanned(tmp_path, {"requirements-dev.txt": FILES["requirements.txt"]}, scanner)
    assert row.status == "scanned"
    assert votes(row)["jinja2", "CVE-2019-10906"] == (("cortex-git",), ("trivy",))


@pytest.mark.parametrize(
    ("path", "readers"),
    [
        ("a/package-lock.json", {"osv-scanner", "trivy", "grype", "npm-audit"}),
        ("npm-shrinkwrap.json", {"osv-scanner", "npm-audit"}),
        ("yarn.lock", {"osv-scanner", "trivy", "grype"}),
        (".yarn/berry/yarn.lock", {"osv-scanner", "grype"}),
        ("vendor/a/composer.lock", {"osv-scanner", "grype"}),
        ("vendor/a/package-lock.json", {"osv-scanner", "trivy", "grype", "npm-audit"}),
        ("a/requirements.txt", {"osv-scanner", "trivy", "grype", "pip-audit"}),
        ("dev-requirements.txt", {"osv-scanner", "grype", "pip-audit"}),
        ("REQUIREMENTS.TXT", {"pip-audit"}),
        ("requirements/dev.txt", {"pip-audit"}),
        ("requirements.lock", {"pip-audit"}),
        ("pdm.lock", {"osv-scanner", "grype"}),
        ("gems.locked", {"osv-scanner"}),
        ("rails.gemfile.lock", set()),
        ("pom.xml", {"osv-scanner", "trivy"}),
        ("gradle.lockfile", {"osv-scanner", "trivy", "grype"}),
        ("buildscript-gradle.lockfile", {"osv-scanner", "trivy"}),
        ("settings-gradle.lockfile", {"trivy"}),
        ("gradle/dependency-locks/compile.lockfile", set()),
        ("packages.net8.lock.json", set()),
        ("Podfile.lock", set()),
        ("requirements.in", set()),
    ],
)
def test_which_scanners_read_a_file_of_that_name(path: str, readers: set[str]) -> None:
    assert {name for name, scanner in SCANNERS.items() if scanner.files.reads(path)} == readers


def test_every_name_that_another_scanner_reads_is_one_of_that_kind() -> None:
    for scanner in SCANNERS.values():
        for kind, globs in scanner.files.names.items():
            assert kind in FORMATS
            assert {kind_of(glob.replace("*", "")) for glob in globs} <= {kind, None}


@pytest.mark.parametrize(
    ("complaint", "status", "reason"),
    [
        (
            "Error during extraction: (extracting as a/b) ' + sys.argv[-1] + '/go.mod: bad",
            1,
            "as a/b) go.mod",
        ),
        ("could not load db for Go ecosystem: no offline version", 127, "could not load db for Go"),
        ("API query failed", 129, "it ended with status 129"),
    ],
    ids=["a file", "a database", "a service"],
)
def test_an_answer_of_a_run_that_left_something_out(
    tmp_path: Path, programs: Callable[[str, str], Chosen], complaint: str, status: int, reason: str
) -> None:
    code = OSV.replace(
        "sys.exit(1)", f"print('Scanned x\\n{complaint}', file=sys.stderr)\nsys.exit({status})"
    )
    row = scanned(tmp_path, FILES, programs("osv-scanner", code))
    (gap,) = row.not_scanned
    assert (gap.what, reason in gap.reason) == ("osv-scanner", True), gap
    assert votes(row)["lodash", LODASH] == (("cortex-git", "osv-scanner"), ())


def test_a_package_that_pip_audit_skips_is_a_gap(
    tmp_path: Path, programs: Callable[[str, str], Chosen]
) -> None:
    skipped = {"name": "own", "skip_reason": "Dependency not found on PyPI"}
    code = f"print(json.dumps({{'dependencies': [{skipped!r}], 'fixes': []}}))"
    row = scanned(tmp_path, FILES, programs("pip-audit", code))
    assert [(gap.what, gap.reason) for gap in row.not_scanned] == [
        ("own in requirements.txt by pip-audit", "Dependency not found on PyPI")
    ]


def test_a_scanner_that_is_not_there_is_said_before_anything_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(EnvironmentProblem, match="trivy is not installed"):
        chosen(["trivy"])
    for text in ("nessus", "", "'"):
        with pytest.raises(BadInput):
            chosen([text])


def test_arguments_of_ones_own(programs: Callable[[str, str], Chosen]) -> None:
    programs("trivy", "")
    assert chosen(["trivy --offline-scan --cache-dir '/a b'"]) == [
        Chosen("trivy", ("--offline-scan", "--cache-dir", "/a b"))
    ]


def finding(name: str = "CVE-1", **changes: Any) -> Finding:
    given = {
        "id": name, "aliases": ("GHSA-1",), "severity": "high", "score": 7.0, "ecosystem": "npm",
        "package": "p", "version": "1", "fixed": None, "lockfile": "package-lock.json", "line": 3,
    }  # fmt: skip
    return Finding(**{**given, **changes})


def answer(scanner: str, *ids: tuple[str, ...], lockfile: str = "package-lock.json") -> Answer:
    seen = tuple(Seen(lockfile, "p", "1", names) for names in ids)
    return Answer(scanner, frozenset({lockfile}), seen)


PACKAGES = (Package("npm", "p", "1", "package-lock.json", 3),)


def test_names_join_through_a_third_scanner() -> None:
    (found,) = voted(
        [], PACKAGES, [answer("a", ("CVE-1",)), answer("b", ("GHSA-1",)), answer("c", ("CVE-1", "GHSA-1"))]
    )
    assert (found.id, found.aliases, found.found_by) == ("CVE-1", ("GHSA-1",), ("a", "b", "c"))


def test_two_of_ours_stay_two() -> None:
    ours = [finding("CVE-1", aliases=()), finding("CVE-2", aliases=())]
    found = voted(ours, PACKAGES, [answer("a", ("CVE-1", "CVE-2"))])
    assert [one.id for one in found] == ["CVE-1", "CVE-2"]


def test_without_other_scanners_nothing_changes() -> None:
    assert voted([finding()], PACKAGES, []) == (finding(),)


def test_another_lockfile_is_no_vote() -> None:
    (found,) = voted([finding()], PACKAGES, [answer("a", lockfile="other/package-lock.json")])
    assert (found.found_by, found.missed_by) == (("cortex-git",), ())


def test_silence_about_a_package_that_it_did_not_see_is_no_vote() -> None:
    """Trivy passes over the development packages of a Pipfile.lock, and reads the others."""
    ours = [finding(ecosystem="PyPI", package="Some.Thing", lockfile="Pipfile.lock")]
    pinned = (Package("PyPI", "Some.Thing", "1", "Pipfile.lock", 3),)

    def silent(*packages: str) -> Answer:
        saw = (Looked("Pipfile.lock", frozenset(packages)),)
        return Answer("a", frozenset({"Pipfile.lock"}), (), saw)

    for answered, missed in ((silent("other"), ()), (silent("other", "some-thing"), ("a",)), (silent(), ())):
        assert [one.missed_by for one in voted(ours, pinned, [answered])] == [missed]


@pytest.mark.parametrize(("others", "kept"), [(1, 1), (2, 0)], ids=["tie", "outvoted"])
def test_by_vote_sets_aside_and_drops_nothing(others: int, kept: int) -> None:
    answers = [answer(name) for name in "ab"[:others]]
    row = RepositoryScan("r", "scanned", findings=voted([finding()], PACKAGES, answers))
    timing = BatchTiming(0, 0, 0, 0, 1, "parallel")
    report = without_outvoted(ScanReport("b", (row,), timing, "db"))
    assert (report.cves_found, len(report.suppressed)) == (kept, 1 - kept)
    if not kept:
        assert report.suppressed[0].reason == "found by 1 of 3 scanners (cortex-git; not by a, b)"


@pytest.mark.parametrize(
    "read", [reports.osv_scanner, reports.trivy, reports.grype, reports.pip_audit, reports.npm_audit]
)
@pytest.mark.parametrize(
    "report",
    [
        [], 7, "x", {"results": 7}, {"Results": {}}, {"matches": [[]]}, {"dependencies": "x"},
        {"vulnerabilities": []},
        {"vulnerabilities": {"a": {"via": ["b", {"url": 7}, {"url": "https://x/GHSA-1", "cvss": 7}]}}},
        {"results": [{"source": [], "packages": None}]},
        {"matches": [{"artifact": {"locations": [{}]}, "vulnerability": {}}]},
        {"Results": [{"Target": 1, "Vulnerabilities": [{"VulnerabilityID": [], "CVSS": {"a": 1}}]}]},
        {"Results": [{"Vulnerabilities": [{"CVSS": {"a": {"V3Score": "NaN"}}}]}]},
        {"Results": [{"Vulnerabilities": [{"CVSS": {"a": {"V3Score": 10**400}}}]}]},
    ],
    ids=lambda value: json.dumps(value)[:30],
)  # fmt: skip
def test_answers_of_any_form_are_read_or_refused(
    read: Callable[[Any, str], Iterator[Told]], report: Any
) -> None:
    try:
        for one in read(report, "/x"):
            if isinstance(one, Seen):
                assert one.score is None or 0 <= one.score <= 10
    except Unreadable:
        pass


def test_osv_scanner_names_a_group_once_and_tells_the_fix_of_this_package() -> None:
    def affected(name: str, kind: str, *fixes: str) -> dict[str, Any]:
        events = [{"introduced": "0"}, *({"fixed": fix} for fix in fixes)]
        return {"package": {"ecosystem": "npm", "name": name}, "ranges": [{"type": kind, "events": events}]}

    record = {
        "id": "RUSTSEC-1", "summary": "s", "database_specific": {"severity": "MODERATE"},
        "affected": [
            affected("other", "SEMVER", "2.0.1"), affected("p", "GIT", "2.0.2"),
            affected("p", "SEMVER", "1.9.0", "3.0.0", "2.1.0"),
        ],
    }  # fmt: skip
    entry = {
        "package": {"name": "p", "version": "2.0.0", "ecosystem": "npm"},
        "groups": [{"ids": ["GHSA-1", "RUSTSEC-1"], "aliases": ["CVE-1", "GHSA-1"], "max_severity": ""}],
        "vulnerabilities": [record],
    }
    report = {"results": [{"source": {"path": "/x/a/package-lock.json"}, "packages": [entry]}]}
    looked, seen = reports.osv_scanner(report, "/x")
    path = "a/package-lock.json"
    assert looked == Looked(path, frozenset({"p"}))
    names = ("RUSTSEC-1", "GHSA-1", "CVE-1")
    assert seen == Seen(path, "p", "2.0.0", names, "medium", None, "2.1.0", "s")


def test_trivy_takes_the_score_that_there_is() -> None:
    ratings = {"a": {"V3Score": 0}, "b": {"V40Score": 6.9}}
    found = {"VulnerabilityID": "CVE-1", "PkgName": "p", "InstalledVersion": "1", "CVSS": ratings}
    for known, score in ((ratings, 6.9), ({"a": {"V3Score": 0}}, None)):
        report = {"Results": [{"Target": "yarn.lock", "Vulnerabilities": [{**found, "CVSS": known}]}]}
        assert [one.score for one in reports.trivy(report, "/x") if isinstance(one, Seen)] == [score]


@pytest.mark.parametrize(
    ("lockfile", "version", "named", "fixed"),
    [
        ("package-lock.json", "2.0.0", ["1.0.5", "3.1.0", "2.4.0"], "2.4.0"),
        ("Cargo.lock", "1.9.0", [">= 3.1.0", "< 3.0.0", ">= 2.1.3"], "2.1.3"),
        ("Gemfile.lock", "6.0.2.1", ["5.2.4.3", " ~> 6.0.3.1"], "6.0.3.1"),
        ("package-lock.json", "2.0.0", ["1.0.5"], None),
        ("package-lock.json", "main", ["1.0.5", "0.1.0"], "1.0.5"),
        ("package-lock.json", None, ["1.0.5"], "1.0.5"),
        ("rpm", "1", ["2"], "2"),
        ("yarn.lock", "1.0.0", ["", "< 3"], None),
    ],
)
def test_the_next_fix(lockfile: str, version: str | None, named: list[str], fixed: str | None) -> None:
    assert next_fix(lockfile, version, named) == fixed


def test_an_answer_that_says_nothing_is_not_nothing_found() -> None:
    reads = {
        reports.osv_scanner: {"results": []},
        reports.trivy: {"SchemaVersion": 2},
        reports.grype: {"matches": []},
        reports.pip_audit: {"dependencies": []},
        reports.npm_audit: {"vulnerabilities": {}},
    }
    for read, nothing_found in reads.items():
        assert list(read(nothing_found, "/x")) == []
        for silent in ({}, None, {"version": "1"}):
            with pytest.raises(Unreadable, match="its answer has no"):
                list(read(silent, "/x"))


@pytest.mark.parametrize(
    ("purl", "beside", "known"),
    [
        ("pkg:npm/%40babel/core@7.0.0", ("core", "7.0.0"), ("@babel/core", "7.0.0")),
        ("pkg:npm/jsonstream@1.3.5", ("JSONStream", "1.3.5"), ("JSONStream", "1.3.5")),
        ("pkg:maven/org.a/b@1?type=jar", ("b", "1"), ("org.a:b", "1")),
        ("pkg:golang/github.com/a/b@v1.0.0#v2", ("b", "v1.0.0"), ("github.com/a/b/v2", "1.0.0")),
        ("pkg:gem/nokogiri@1.15.4-java", ("nokogiri", "1.15.4-java"), ("nokogiri", "1.15.4")),
        ("pkg:pypi/jinja2", ("Jinja2", ""), ("Jinja2", None)),
        ("not a purl", ("a", "1"), ("a", "1")),
    ],
)
def test_names_by_package_url(purl: str, beside: tuple[str, str], known: tuple[str, str | None]) -> None:
    assert reports._named(purl, *beside) == known
