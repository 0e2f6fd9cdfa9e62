"""A command may be called in a folder that is somebody else's: no module of that folder is imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
LURES = ("yaml", "git", "packaging", "univers", "json", "cortex_git")


@pytest.mark.parametrize("how", [[], ["--cold"]], ids=["warm", "cold"])
def test_workers_import_nothing_from_the_callers_folder(tmp_path: Path, how: list[str]) -> None:
    caught = tmp_path / "caught"
    here = tmp_path / "theirs"
    here.mkdir()
    for name in LURES:
        (here / f"{name}.py").write_text(f"open({str(caught)!r}, 'a').write('{name} ')\n")
    subprocess.run(["git", "init", "-q", str(tmp_path / "own")], check=True)
    cortex = [sys.executable, "-P", "-m", "cortex_git"]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    for arguments in (
        ["init", str(tmp_path / "own")],
        ["task", "add", "--title", "x", "--runner", "echo", "--repository", str(tmp_path / "own")],
        ["spawn-workers", "--repository", str(tmp_path / "own"), *how],
        ["multi-repo-scan", "--sample"],
    ):
        done = subprocess.run(
            [*cortex, *arguments], cwd=here, env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
    assert not caught.exists(), caught.read_text()
