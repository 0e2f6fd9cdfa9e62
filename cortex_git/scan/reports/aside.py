"""What a report counts apart, in words: suppressed findings, those known from a baseline, and dates of lists.

Everything here is escaped for a terminal. Must never let the words of an all-clear stand alone where
something was set aside.
"""

from cortex_git.pages.text import counted
from cortex_git.scan.records import Finding
from cortex_git.scan.reports.escape import terminal
from cortex_git.scan.reports.listing import SHOWN, clipped, joined, listed
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import AcceptedGap, Baseline, Suppressed, SuppressedSecret


def aside(report: ScanReport) -> str:
    """` beside 2 suppressed and 12 known from the baseline`, empty where nothing was set aside."""
    return beside(len(report.suppressed), len(report.baseline.known) if report.baseline else 0)


def beside(suppressed: int, known: int) -> str:
    """The same of these numbers, whatever they count."""
    parts = [f"{suppressed:,} suppressed"] if suppressed else []
    parts += [f"{known:,} known from the baseline"] if known else []
    return f", beside {' and '.join(parts)}" if parts else ""


def aside_lines(report: ScanReport) -> list[str]:
    """A line each on what was suppressed, on the baseline, and on the lists of EPSS and KEV."""
    lines = []
    if report.suppressed:
        lines.append(f"Suppressed: {counted(len(report.suppressed), 'finding')}, not counted below")
    if report.suppressed_secrets:
        lines.append(f"Suppressed: {counted(len(report.suppressed_secrets), 'secret')}, not counted")
    if report.baseline is not None:
        name = clipped(report.baseline.source)
        lines.append(f"Baseline {name}: {'; '.join(baseline_counts(report.baseline))}")
    if dates := dates_line(report):
        lines.append(dates)
    return lines


def baseline_counts(base: Baseline) -> list[str]:
    """`12 known, not counted below`, `3 fixed` and what else there is to say, the same in every form."""
    parts = [f"{len(base.known):,} known, not counted below", f"{len(base.fixed):,} fixed"]
    if base.spread:
        parts.append(f"{len(base.spread):,} new in another lockfile")
    if base.not_compared:
        parts.append(f"{base.not_compared:,} of which this scan cannot tell")
    if base.known_secrets:
        parts.append(f"{counted(len(base.known_secrets), 'secret')} known, not counted")
    if base.gone_secrets:
        parts.append(f"{counted(len(base.gone_secrets), 'secret')} gone from the files")
    if base.secrets_not_compared:
        parts.append(f"{counted(base.secrets_not_compared, 'secret')} not looked for again")
    return parts


def dates_line(report: ScanReport) -> str:
    """Which EPSS scores and which list of exploited vulnerabilities were used; empty where none."""
    parts = []
    if report.epss_date is not None:
        parts.append(f"EPSS scores of {terminal(report.epss_date)}")
    if report.kev_date is not None:
        parts.append(f"CISA's known exploited vulnerabilities of {terminal(report.kev_date)}")
    return f"Exploitation: {', '.join(parts)}" if parts else ""


def suppressed_lines(report: ScanReport, limit: int | None = SHOWN) -> list[str]:
    """`Suppressed (N):` and a line for each of the first `limit`; nothing where there is none."""
    return listed("Suppressed", report.suppressed, _line, limit)


def until(one: Suppressed | SuppressedSecret | AcceptedGap) -> str:
    """`accepted until 2027-01-31`, or only the status."""
    return one.status.replace("_", " ") + (f" until {one.expires}" if one.expires else "")


def exploitation(finding: Finding) -> str:
    """`KEV 2021-12-10, EPSS 94.4 %`, or the part that is known; empty where neither is."""
    parts = [f"KEV {finding.kev}"] if finding.kev else []
    if finding.epss is not None:
        parts.append(f"EPSS {finding.epss * 100:.1f} %")
    return ", ".join(parts)


def _line(one: Suppressed) -> str:
    finding = one.finding
    texts = (one.repo, f"{finding.package} {finding.version}", finding.id, until(one), one.reason)
    return joined(texts)
