"""Taking the `[[secret]]` entries of ignore files into account: which secrets are set aside, which are not.

Must never drop one: a secret that is set aside is kept with its reason, and every entry that expired or that
applied to nothing is named.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from cortex_git.scan.fingerprints import numbered
from cortex_git.scan.records import RepositoryScan, SecretFound
from cortex_git.scan.scan_report import ScanReport
from cortex_git.scan.set_aside import SuppressedSecret
from cortex_git.scan.suppressing.applying import is_over, said_in_vain
from cortex_git.scan.suppressing.secret_entries import SecretEntry


def suppress_secrets(report: ScanReport, entries: Sequence[SecretEntry], today: date) -> ScanReport:
    """The report with the secrets that the entries are about set aside.

    An entry applies through the day on which it expires; of several about a secret the first one counts.
    """
    valid = dict.fromkeys(entry for entry in entries if not is_over(entry, today))
    used: set[SecretEntry] = set()
    rows: list[RepositoryScan] = []
    aside: list[SuppressedSecret] = []
    for row in report.repositories:
        if not row.secrets:
            rows.append(row)
            continue
        kept = []
        for secret in numbered(row.secrets):
            about = [entry for entry in valid if entry.about(row.repo, secret)]
            used.update(about)
            if about:
                aside.append(_suppressed(row.repo, secret, about[0]))
            else:
                kept.append(secret)
        rows.append(replace(row, secrets=tuple(kept)))
    looked = report.secrets_looked is not None or report.secrets_found
    unused = [entry for entry in valid if entry not in used] if looked else []
    return replace(
        report,
        repositories=tuple(rows),
        suppressed_secrets=(*report.suppressed_secrets, *aside),
        notes=(*report.notes, *said_in_vain(entries, unused, today)),
    )


def _suppressed(repo: str, secret: SecretFound, entry: SecretEntry) -> SuppressedSecret:
    expires = entry.expires.isoformat() if entry.expires else None
    return SuppressedSecret(repo, secret, entry.status, entry.reason, entry.source, expires)
