"""The documentation says what the program does: commands, settings, links, the coordination folder."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cortex_git.config import (
    DEFAULT_LIMITS,
    AgentSettings,
    BudgetSettings,
    HostSettings,
    Infrastructure,
    Leases,
    Model,
    Models,
    OpenAI,
    PoolSettings,
    Rate,
    Settings,
)
from cortex_git.locating import find_repository
from cortex_git.store.creation import create

CHECKOUT = Path(__file__).parents[1]
PAGES = sorted([*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/**/*.md"), *CHECKOUT.glob("coordination/*.md")])
sys.path.insert(0, str(CHECKOUT / "scripts"))

import command_reference  # noqa: E402

COMMANDS = [command.path for command in command_reference.commands()]


def test_the_reference_is_up_to_date() -> None:
    page = command_reference.PAGE.read_text(encoding="utf-8")
    assert page == command_reference.replaced(page), "run: python scripts/command_reference.py"


def test_every_command_and_flag_has_help() -> None:
    for command in command_reference.commands():
        assert command.parsed.help, command.path
        for parameter in command.parsed.params:
            assert parameter.help, f"{command.path} {parameter.name}"


def test_help_of_every_command_works() -> None:
    """Each group and command, in one interpreter for all: the exit status and that it says something."""
    script = """
import sys
from cortex_git.cli.main import main
sys.argv = ["cortex-git", *sys.argv[1:], "--help"]
main()
"""
    groups = {path.rpartition(" ")[0] for path in COMMANDS}
    running = [
        subprocess.Popen([sys.executable, "-c", script, *path.split()], cwd=CHECKOUT, stdout=subprocess.PIPE)
        for path in [*COMMANDS, *sorted(groups)]
    ]
    for process in running:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, process.args
        assert b"Usage:" in out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor and file.suffix == ".md":
            assert anchor in _anchors(file.read_text(encoding="utf-8")), f"{page.name} links to {target}"


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_setting_is_documented() -> None:
    text = (CHECKOUT / "docs" / "configuration.md").read_text(encoding="utf-8")
    shared = (Settings, Leases, PoolSettings, BudgetSettings, Rate, Models, Model, Infrastructure)
    for model in (*shared, HostSettings, OpenAI, AgentSettings):
        for name, field in model.model_fields.items():
            assert f"`{field.alias or name}`" in text, f"{model.__name__}.{name}"
    for kind, limits in DEFAULT_LIMITS.items():
        assert f"| `{kind}` | {limits.tokens} | {limits.minutes:g} |" in text


def test_every_environment_variable_is_documented() -> None:
    text = (CHECKOUT / "docs" / "configuration.md").read_text(encoding="utf-8")
    sources = [path.read_text(encoding="utf-8") for path in (CHECKOUT / "cortex_git").rglob("*.py")]
    sources += [path.read_text(encoding="utf-8") for path in (CHECKOUT / "scripts").glob("*.sh")]
    names = {name for source in sources for name in re.findall(r"\bCORTEX_[A-Z_]+\b", source)}
    assert "CORTEX_REPOSITORY" in names
    assert {name for name in names if f"`{name}`" not in text} == set()


def test_the_coordination_folder_is_what_init_writes(tmp_path: Path) -> None:
    """But for one line: this checkout's remote is the project's own, so no batch may be published to it."""
    create(tmp_path, None)
    made = {path.name: path.read_text() for path in (tmp_path / "coordination").iterdir()}
    ours = {name: (CHECKOUT / "coordination" / name).read_text() for name in ("config.toml", "README.md")}
    assert tomllib.loads(ours["config.toml"])["enabled"] is False
    assert made == ours | {"config.toml": re.sub(r"^enabled = .*\n", "", ours["config.toml"], flags=re.M)}
    assert find_repository(CHECKOUT) != CHECKOUT
    ignored = (CHECKOUT / ".gitignore").read_text().splitlines()
    assert set((tmp_path / ".gitignore").read_text().splitlines()) <= set(ignored)
