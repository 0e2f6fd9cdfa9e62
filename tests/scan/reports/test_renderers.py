import subprocess
import sys

from cortex_git.scan.reports import RENDERERS
from cortex_git.scan.scan_report import ScanReport


def test_every_format_ends_with_one_newline(full_report: ScanReport) -> None:
    assert list(RENDERERS) == ["json", "sarif", "markdown", "html", "csv", "cyclonedx-vex", "github"]
    for render in RENDERERS.values():
        text = render(full_report)
        assert text.endswith("\n")
        assert not text.endswith("\n\n")


def test_naming_the_formats_loads_none_of_them() -> None:
    program = (
        "import sys, cortex_git.scan.reports\n"
        "print([name for name in sys.modules if name.startswith('cortex_git.scan.reports.')"
        " or name.split('.')[0] in ('rich', 'typer', 'json')])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout == "[]\n"
