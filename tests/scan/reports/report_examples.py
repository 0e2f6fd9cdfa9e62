"""Any hostile text, and any report made of it, that hypothesis thinks of."""

from hypothesis import settings
from hypothesis import strategies as st

from cortex_git.scan.records import SEVERITIES, Finding, NotScanned, RepositoryScan, SecretFound
from cortex_git.scan.scan_report import BatchTiming, ScanReport
from cortex_git.scan.secrets_looked import PassedOver, SecretsLooked
from cortex_git.scan.set_aside import (
    AcceptedGap,
    Baseline,
    Placed,
    PlacedSecret,
    Suppressed,
    SuppressedSecret,
)

TIMING = BatchTiming(12.34, 0.0211, 0.1432, 0.871, 20, "parallel")
FEW = settings(max_examples=40, deadline=None)
"""For properties of whole reports, of which every example is large."""

NASTY = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "a\u202eb",
    "\u2066x\u2069",
    "line\nbreak\r\n::error::x",
    "::set-output name=x::y",
    "##[add-mask]x",
    "##vso[task.setvariable variable=a]b",
    "a\u2028b\u2029c\u0085d",
    "| a | b |",
    "a\\|b\\",
    "``code`` `",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "![i](http://e.test/i.png)",
    "https://e.test www.e.test a@e.test",
    "@octocat #1 owner/repo#2",
    "=HYPERLINK(1)",
    "{0} {{x}}",
    "\udcff\ud800",
    "\u3164\ufe0f\u200b",
    "../../etc/passwd",
    "",
    "   ",
)

hostile = st.lists(st.sampled_from(NASTY) | st.text(st.characters(), max_size=12), max_size=4).map("".join)

_findings = st.builds(
    Finding,
    id=hostile | st.sampled_from(["CVE-2024-1", "GHSA-aaaa-bbbb-cccc"]),
    aliases=st.lists(hostile, max_size=2, unique=True).map(tuple),
    severity=st.sampled_from(SEVERITIES),
    score=st.none() | st.floats(0, 10),
    ecosystem=hostile,
    package=hostile,
    version=hostile,
    fixed=st.none() | hostile,
    lockfile=hostile,
    line=st.none() | st.integers(1, 10**6),
    summary=hostile,
    other_lockfiles=st.lists(hostile, max_size=2, unique=True).map(tuple),
    other_versions=st.lists(hostile, max_size=2, unique=True).map(tuple),
    epss=st.none() | st.floats(0, 1),
    kev=st.none() | st.just("2021-12-10"),
)
_gap = st.builds(NotScanned, what=hostile, reason=hostile, kind=hostile, path=st.none() | hostile)
_parts = st.lists(_gap, max_size=3).map(tuple)
_accepted = st.builds(
    AcceptedGap, repo=hostile, gap=_gap, reason=hostile, source=hostile, expires=st.none() | hostile
)
_secrets = st.builds(
    SecretFound, path=hostile, line=st.integers(1, 10**6), kind=hostile, number=st.integers(1, 9)
)
_looked = st.builds(
    SecretsLooked,
    files=st.integers(0, 10**6),
    size=st.integers(0, 10**12),
    passed_over=st.lists(st.builds(PassedOver, reason=hostile, files=st.integers(1, 9)), max_size=1).map(
        tuple
    ),
    whole=st.booleans(),
)
_rows = st.builds(
    RepositoryScan,
    repo=hostile | st.sampled_from(["/srv/a b", "git@h.test:t/x.git", "https://h.test/x.git", "./x"]),
    status=st.sampled_from(["scanned", "incomplete", "failed"]),
    commit=st.none() | st.just("a" * 40),
    packages=st.integers(0, 10**6),
    error=st.none() | hostile,
    duration_s=st.floats(0, 10**4),
    findings=st.lists(_findings, max_size=3).map(tuple),
    not_scanned=_parts,
    database=hostile,
    secrets=st.lists(_secrets, max_size=1).map(tuple),
    secrets_looked=st.none() | _looked,
)
_suppressed = st.builds(
    Suppressed,
    repo=hostile,
    finding=_findings,
    status=st.sampled_from(["accepted", "not_affected", "fixed", "false_positive"]),
    reason=hostile,
    source=hostile,
    justification=st.none() | hostile | st.just("vulnerable_code_not_present"),
    expires=st.none() | st.just("2027-01-31"),
    in_baseline=st.booleans(),
)
_placed = st.lists(st.builds(Placed, repo=hostile, finding=_findings), max_size=2).map(tuple)
_placed_secrets = st.lists(st.builds(PlacedSecret, repo=hostile, secret=_secrets), max_size=1).map(tuple)
_suppressed_secrets = st.builds(
    SuppressedSecret,
    repo=hostile,
    secret=_secrets,
    status=st.sampled_from(["accepted", "false_positive"]),
    reason=hostile,
    source=hostile,
    expires=st.none() | st.just("2027-01-31"),
)
_baselines = st.builds(
    Baseline,
    source=hostile,
    known=_placed,
    fixed=_placed,
    not_compared=st.integers(0, 9),
    known_secrets=_placed_secrets,
    gone_secrets=_placed_secrets,
    secrets_not_compared=st.integers(0, 9),
)
hostile_reports = st.builds(
    ScanReport,
    batch=hostile,
    repositories=st.lists(_rows, max_size=4).map(tuple),
    timing=st.just(TIMING),
    database=hostile,
    coverage=_parts,
    sample=st.booleans(),
    suppressed=st.just(()) | st.lists(_suppressed, max_size=2).map(tuple),
    baseline=st.none() | _baselines,
    accepted=st.just(()) | st.lists(_accepted, max_size=2).map(tuple),
    notes=st.lists(hostile, max_size=2).map(tuple),
    epss_date=st.none() | st.just("2026-11-28"),
    kev_date=st.none() | st.just("2026-11-27"),
    suppressed_secrets=st.just(()) | st.lists(_suppressed_secrets, max_size=1).map(tuple),
)
