import re
from collections.abc import Callable

from hypothesis import given
from markdown_it import MarkdownIt
from report_examples import FEW, hostile_reports

from cortex_git.scan.records import Finding, RepositoryScan
from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.reports.summary import seven_lines
from cortex_git.scan.scan_report import ScanReport

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def test_a_full_report_has_all_its_parts(full_report: ScanReport) -> None:
    lines = RENDERERS["markdown"](full_report).splitlines()
    assert lines[0] == "# Vulnerability scan of 3 of 4 repositories"
    assert lines[2] == "4 known vulnerabilities in 100 packages of 3 repositories. 3 things were not scanned."
    assert "| Critical | 1 |" in lines
    assert (
        "| critical | `https://h.test/t/second.git` | `log4j` | `4.17.20` | `4.17.21` |"
        " [CVE-2021-44228](https://osv.dev/vulnerability/CVE-2021-44228) |"
    ) in lines
    assert "## Not scanned (3)" in lines
    assert "| all | `Hex` | `no advisories for this ecosystem` | `other` |" in lines
    assert "| `https://h.test/gone.git` | the whole repository | `repository not found` | `failed` |" in lines


def test_it_ends_with_the_seven_lines_as_code(full_report: ScanReport) -> None:
    lines = RENDERERS["markdown"](full_report).splitlines()
    assert lines[-9:] == ["```text", *seven_lines(full_report), "```"]


def test_a_clean_report_has_no_empty_tables(make_report: Callable[..., ScanReport]) -> None:
    text = RENDERERS["markdown"](make_report(RepositoryScan("r", "scanned", packages=2)))
    assert "No known vulnerabilities in 2 packages of 1 repository." in text
    assert "## Findings" not in text
    assert "## Not scanned" not in text
    assert "Sample" not in text


def test_the_sample_is_named_as_one(make_report: Callable[..., ScanReport]) -> None:
    assert "**Sample: " in RENDERERS["markdown"](make_report(sample=True))


def test_only_a_plain_id_is_linked(
    make_finding: Callable[..., Finding], make_report: Callable[..., ScanReport]
) -> None:
    finding = make_finding(id="CVE-1](http://e.test)")
    text = RENDERERS["markdown"](make_report(RepositoryScan("r", "scanned", findings=(finding,))))
    assert "| `CVE-1](http://e.test)` |" in text


@FEW
@given(hostile_reports)
def test_nothing_hostile_becomes_markdown(report: ScanReport) -> None:
    tokens = MARKDOWN.parse(RENDERERS["markdown"](report))
    listed = (
        report.cves_found,
        len(report.suppressed),
        report.not_scanned,
        report.secrets_found,
        len(report.suppressed_secrets),
        len(report.accepted),
    )
    assert sum(token.type == "heading_open" for token in tokens) == 3 + sum(map(bool, listed))
    assert not any(token.type == "html_block" for token in tokens)
    children = [child for token in tokens for child in token.children or []]
    assert {child.type for child in children} <= {
        "text",
        "code_inline",
        "link_open",
        "link_close",
        "strong_open",
        "strong_close",
    }
    links = [str(child.attrs["href"]) for child in children if child.type == "link_open"]
    assert all(re.fullmatch(r"https://osv\.dev/vulnerability/[A-Za-z0-9.%:-]+", link) for link in links)
    rows = sum(token.type == "tr_open" for token in tokens)
    tables = sum(token.type == "table_open" for token in tokens)
    assert rows == tables + 5 + sum(listed)
