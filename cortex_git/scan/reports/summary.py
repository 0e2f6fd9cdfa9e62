"""The lines for people that end a scan: the verdict, what was not scanned, the seven summary lines.

Scripts read the seven lines, so their form is fixed. Everything here is escaped for a terminal, and
must never say that all is well when something was not scanned.
"""

from cortex_git.pages.text import counted
from cortex_git.scan.gap_kinds import ACCEPTABLE
from cortex_git.scan.reports.accepted import accepted_lines, accepted_sentence
from cortex_git.scan.reports.aside import aside, aside_lines, suppressed_lines
from cortex_git.scan.reports.contents import Gap, gaps, unchanged
from cortex_git.scan.reports.listing import clipped, joined
from cortex_git.scan.reports.secrets import (
    looked_line,
    secret_lines,
    secrets_sentence,
    suppressed_secret_lines,
)
from cortex_git.scan.scan_report import ScanReport

GAPS_SHOWN = 20
_BATCHES_SHOWN = 5

SAMPLE_NOTE = "Sample: these repositories were made from lockfiles inside the package; they are not yours."


def render(report: ScanReport) -> str:
    """The gaps, what is suppressed, the database, the sample note; as the last seven lines, the summary."""
    lines = [*secret_lines(report), *not_scanned_lines(report), *suppressed_lines(report)]
    lines += [*suppressed_secret_lines(report), *context_lines(report), *seven_lines(report)]
    return "\n".join(lines) + "\n"


def seven_lines(report: ScanReport) -> tuple[str, ...]:
    """The seven lines of DESIGN section 8; `Unknown` joins the third only when it is not zero."""
    counts, timing = report.severity, report.timing
    severities = ", ".join(
        f"{name.capitalize()}: {counts[name]}" for name in ("critical", "high", "medium", "low")
    )
    if counts["unknown"]:
        severities += f", Unknown: {counts['unknown']}"
    return (
        f"Repositories scanned: {repositories_read(report)}",
        f"CVEs found: {report.cves_found}",
        severities,
        f"Real time: {timing.real_time_s:.1f} s",
        f"Worker spawn overhead: {timing.spawn_overhead_s_avg:.3f} s avg",
        f"Scan time per repo: {timing.scan_time_s_avg:.3f} s avg",
        f"Parallel efficiency: {timing.parallel_efficiency * 100:.0f} %",
    )


def repositories_read(report: ScanReport) -> int:
    """Repositories that could be read, in part or wholly."""
    return len(report.repositories) - report.failed


def verdict(report: ScanReport) -> str:
    """One sentence: what was found, and in how much; it never claims more than was scanned."""
    read, missing = repositories_read(report), len(gaps(report))
    tail = secrets_sentence(report)
    tail += f" {counted(missing, 'thing was', 'things were')} not scanned." if missing else ""
    tail += accepted_sentence(report)
    if not read:
        return f"Nothing was scanned.{tail}"
    packages = sum(row.packages for row in report.repositories)
    scope = f"{counted(packages, 'package')} of {counted(read, 'repository', 'repositories')}"
    if not report.cves_found:
        qualifier = "the part that was scanned: " if missing or report.accepted else ""
        kind = "No new" if report.baseline is not None else "No"
        return f"{kind} known vulnerabilities in {qualifier}{scope}{aside(report)}.{tail}"
    new = "new " if report.baseline is not None else ""
    found = counted(report.cves_found, f"{new}known vulnerability", f"{new}known vulnerabilities")
    return f"{found} in {scope}{aside(report)}.{tail}"


def not_scanned_lines(report: ScanReport, limit: int | None = GAPS_SHOWN) -> list[str]:
    """`Not scanned (N):` and a line for each of the first `limit` gaps, then those accepted; maybe none."""
    found = gaps(report)
    if not found:
        return accepted_lines(report, limit)
    shown = found if limit is None else found[:limit]
    lines = [f"Not scanned ({len(found)}):", *(f"  - {_gap_line(gap)}" for gap in shown)]
    if len(found) > len(shown):
        lines.append(f"  ... and {len(found) - len(shown)} more (see --format json)")
    return [*lines, *accepted_lines(report, limit)]


def context_lines(report: ScanReport) -> list[str]:
    """Which database answered, what is counted apart, and that the sample is one."""
    lines = [f"Database: {clipped(report.database or 'none')}", *aside_lines(report)]
    if looked := looked_line(report):
        lines.append(looked)
    if since := unchanged_line(report):
        lines.append(since)
    if report.sample:
        lines.append(SAMPLE_NOTE)
    return lines


def unchanged_line(report: ScanReport) -> str:
    """How many rows were taken over from which batch, as nothing had changed; empty for none."""
    found = unchanged(report)
    if not found:
        return ""
    shown = [f"{count:,} from batch {clipped(batch)}" for batch, count in found[:_BATCHES_SHOWN]]
    if more := sum(count for _, count in found[_BATCHES_SHOWN:]):
        shown.append(f"{more:,} from others")
    return f"Unchanged, taken over: {', '.join(shown)} (--rescan scans them again)"


def _gap_line(gap: Gap) -> str:
    parts = (gap.repo, gap.what or "failed", gap.reason)
    text = joined(part for part in parts if part)
    return f"{text} [{gap.kind}]" if gap.kind in ACCEPTABLE else text  # the word that an entry needs
