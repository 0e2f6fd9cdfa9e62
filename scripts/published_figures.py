"""Writes every measured figure of README.md and docs from the documents that `bench` wrote.

    cortex-git bench all --output docs/benchmarks && python scripts/published_figures.py

Owns what stands between its marks, on every page. tests/test_published_figures.py fails where a page says
anything else. Ends with status 3, and says why, where something was not measured.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from figure_sources import Sources
from figure_tables import TABLES, written
from headline_figures import headline

WRITERS = {**TABLES, "headline": headline}
MARKED = re.compile(
    r"<!-- figures (?P<name>[a-z-]+), written by scripts/published_figures\.py: begin -->\n"
    r"(?P<text>.*?)"
    r"<!-- figures (?P=name): end -->",
    re.DOTALL,
)
CHECKOUT = Path(__file__).parents[1]


def pages(checkout: Path) -> Iterator[Path]:
    """Every page that may have figures."""
    yield checkout / "README.md"
    yield from sorted((checkout / "docs").rglob("*.md"))


def replaced(page: str, sources: Sources) -> str:
    """The page with what stands between its marks made anew. Raises KeyError for a name that is none."""

    def made(found: re.Match[str]) -> str:
        begin = found[0].partition("\n")[0]
        name = found["name"]
        return f"{begin}\n\n{written(name, WRITERS[name], sources)}\n\n<!-- figures {name}: end -->"

    return MARKED.sub(made, page)


def main() -> int:
    """Rewrite the pages."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--checkout", type=Path, default=CHECKOUT, help="whose pages and docs/benchmarks")
    parser.add_argument("--quick", action="store_true", help="take figures of small sizes, to try it out")
    given = parser.parse_args()
    sources = Sources(given.checkout / "docs" / "benchmarks", quick=given.quick)
    for page in pages(given.checkout):
        before = page.read_text(encoding="utf-8")
        after = replaced(before, sources)
        if after != before:
            page.write_text(after, encoding="utf-8")
            sys.stderr.write(f"{page.relative_to(given.checkout)} was rewritten\n")
    for why in (missing := sources.missing()):
        sys.stderr.write(f"{why}\n")
    return 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
