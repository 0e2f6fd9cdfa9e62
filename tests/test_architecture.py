"""Who may import what: the single owners, and what starting the command line may cost."""

import ast
import gc
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
PACKAGE = CHECKOUT / "cortex_git"
OWNERS = {
    "celery": ("analysis/bench/peer_programs/",),
    "git": ("gitio.py",),
    "huey": ("analysis/bench/peer_programs/",),
    "loky": ("analysis/bench/peer_programs/",),
    "anthropic": ("llm/claude.py",),
    "kingfisher_sdk": ("scan/secret_detector.py",),
    "openai": ("llm/openai.py",),
    "typer": ("cli/",),
    "click": (),
    "dask": (),
    "distributed": ("services/dask_engine.py", "services/dask_join.py", "analysis/bench/peer_programs/"),
    "plotext": ("cli/",),
    "prometheus_client": ("services/metrics.py",),
    "rich": ("cli/",),
    "scipy": ("analysis/usl.py", "routing/training.py"),
    "simpy": ("analysis/simulated_host.py",),
    "statsmodels": ("workers/forecasting.py",),
    "textual": ("cli/",),
    "vl_convert": ("pages/drawing.py",),
}
"""Who may import each package, as path prefixes below the package."""
LIGHT_START = (
    "anthropic",
    "click",
    "cvss",
    "dask",
    "defusedxml",
    "distributed",
    "git",
    "httpx",
    "kingfisher_sdk",
    "multiprocessing",
    "packaging",
    "platformdirs",
    "plotext",
    "prometheus_client",
    "psutil",
    "pydantic",
    "rich",
    "scipy",
    "simpy",
    "sqlite3",
    "statsmodels",
    "textual",
    "univers",
    "vl_convert",
    "yaml",
)
"""What importing the command line must not load."""
MOST_TIMES_TYPER = 2.5


@dataclass(frozen=True)
class Facts:
    """What the tests want to know of a file; its syntax tree would stay in memory for the whole run."""

    path: str
    imported: frozenset[str]
    starts_git: bool


@cache
def _modules() -> tuple[Facts, ...]:
    return tuple(_facts(path) for path in sorted(PACKAGE.rglob("*.py")))


def _tree(path: Path) -> ast.Module:
    # Python 3.11 raises SystemError where a finalizer prints a traceback, which parses too, in mid-parse.
    gc.disable()
    try:
        return ast.parse(path.read_text(encoding="utf-8"), str(path))
    finally:
        gc.enable()


def _facts(path: Path) -> Facts:
    names: set[str] = set()
    starts_git = False
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.List) and node.elts and isinstance(node.elts[0], ast.Constant):
            starts_git |= str(node.elts[0].value).partition(" ")[0] == "git"
    return Facts(path.relative_to(PACKAGE).as_posix(), frozenset(names), starts_git)


def test_a_package_is_imported_by_its_owner_only() -> None:
    found = {
        (module.path, package)
        for module in _modules()
        for package in module.imported & OWNERS.keys()
        if not module.path.startswith(OWNERS[package])
    }
    assert found == set()


def test_git_is_started_by_its_owner_only() -> None:
    assert {module.path for module in _modules() if module.starts_git} == {"gitio.py"}


def test_the_command_line_starts_light() -> None:
    """A fresh interpreter, because this one has imported nearly everything by now."""
    script = "import cortex_git.cli.main, sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "cortex_git" in loaded
    assert loaded.isdisjoint(LIGHT_START)


def test_help_costs_little_more_than_typer() -> None:
    """Side by side and interleaved, the best of several: a busy machine slows both."""
    help_s, typer_s = [], []
    for _ in range(7):
        help_s.append(_seconds("-m", "cortex_git", "--help"))
        typer_s.append(_seconds("-c", "import typer"))
    assert min(help_s) / min(typer_s) < MOST_TIMES_TYPER


def _seconds(*arguments: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=CHECKOUT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started
