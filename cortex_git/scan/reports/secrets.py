"""What a report says of keys and passwords in files: where they stand and what they look like.

Escaped for a terminal. There is nothing else to show: the secrets themselves were never kept.
"""

from collections.abc import Iterator

from cortex_git.pages.text import counted
from cortex_git.scan.records import RepositoryScan, SecretFound
from cortex_git.scan.reports.aside import beside, until
from cortex_git.scan.reports.listing import SHOWN, clipped, joined, listed
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import SuppressedSecret


def secrets_of(report: ScanReport) -> Iterator[tuple[RepositoryScan, SecretFound]]:
    """Every secret with the row of its repository."""
    for row in report.repositories:
        for one in row.secrets:
            yield row, one


def secret_lines(report: ScanReport, limit: int | None = SHOWN) -> list[str]:
    """`Secrets (N):` and a line for each of the first `limit`; nothing where there is none."""
    found = list(secrets_of(report))
    return listed("Secrets", found, lambda pair: _where(pair[0].repo, pair[1]), limit)


def looked_line(report: ScanReport) -> str:
    """`Secrets: looked for in 3 files (0.1 MB) of 1 repository; …`; empty where they were not."""
    looked = report.secrets_looked
    if looked is None:
        return ""
    repositories = sum(row.secrets_looked is not None for row in report.repositories)
    size = f"{looked.size / 1e6:,.1f} MB" if looked.size >= 1e6 else f"{looked.size / 1e3:.1f} kB"
    amount = f"{counted(looked.files, 'file')} ({size})"
    text = f"Secrets: looked for in {amount} of {counted(repositories, 'repository', 'repositories')}"
    if looked.passed_over:
        parts = [f"{clipped(one.reason)} ({one.files:,})" for one in looked.passed_over]
        text += f"; passed over: {', '.join(parts)}"
    return text


def secrets_sentence(report: ScanReport) -> str:
    """` 2 secrets in files, beside 1 suppressed.`, with a space ahead; empty where none were looked for."""
    looked, found = report.secrets_looked, report.secrets_found
    aside = secrets_aside(report)
    if looked is None and not found and not aside:
        return ""
    new = "new " if report.baseline is not None else ""
    amount = f" {counted(found, f'{new}secret')} in files" if found else f" No {new}secrets in files"
    if not found and looked is not None:
        amount = f" No {new}secrets in {counted(looked.files, 'file')}"
    return f"{amount}{aside}."


def secrets_aside(report: ScanReport) -> str:
    """`, beside 1 suppressed and 2 known from the baseline`; empty where none was set aside."""
    known = report.baseline.known_secrets if report.baseline else ()
    return beside(len(report.suppressed_secrets), len(known))


def suppressed_secret_lines(report: ScanReport, limit: int | None = SHOWN) -> list[str]:
    """`Suppressed secrets (N):` and a line for each of the first `limit`; nothing where there is none."""
    return listed("Suppressed secrets", report.suppressed_secrets, _suppressed, limit)


def _suppressed(one: SuppressedSecret) -> str:
    return f"{_where(one.repo, one.secret)}: {joined((until(one), one.reason))}"


def _where(repo: str, one: SecretFound) -> str:
    return joined((repo, f"{one.path}:{one.line}", one.kind))
