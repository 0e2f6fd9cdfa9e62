"""The report formats of a finished scan, each a pure function from a `ScanReport` to text.

Owns which format has which renderer. Importing it must stay cheap: a renderer is imported on use.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cortex_git.scan.scan_report import ScanReport


def _json(report: "ScanReport") -> str:
    from cortex_git.scan.reports import json_report

    return json_report.render(report)


def _sarif(report: "ScanReport") -> str:
    from cortex_git.scan.reports import sarif

    return sarif.render(report)


def _markdown(report: "ScanReport") -> str:
    from cortex_git.scan.reports import markdown

    return markdown.render(report)


def _html(report: "ScanReport") -> str:
    from cortex_git.scan.reports import html

    return html.render(report)


def _csv(report: "ScanReport") -> str:
    from cortex_git.scan.reports import csv_report

    return csv_report.render(report)


def _cyclonedx_vex(report: "ScanReport") -> str:
    from cortex_git.scan.reports import cyclonedx_vex

    return cyclonedx_vex.render(report)


def _github(report: "ScanReport") -> str:
    from cortex_git.scan.reports import github

    return github.render(report)


RENDERERS: dict[str, Callable[["ScanReport"], str]] = {
    "json": _json,
    "sarif": _sarif,
    "markdown": _markdown,
    "html": _html,
    "csv": _csv,
    "cyclonedx-vex": _cyclonedx_vex,
    "github": _github,
}
"""By the name `--format` takes. Every renderer's text ends with one newline."""
