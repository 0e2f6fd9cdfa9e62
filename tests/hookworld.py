"""What tests of git hooks share: a repository with a remote, lockfiles, pushes as a person makes them."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gitworld import git

VULNERABLE = "4.17.15"
FIXED = "4.17.21"


def lock(**packages: str) -> str:
    """A package-lock.json that pins these."""
    entries = {f"node_modules/{name}": {"version": version} for name, version in packages.items()}
    return json.dumps({"name": "x", "lockfileVersion": 3, "packages": {"": {}, **entries}}, indent=1)


@dataclass(frozen=True)
class Worked:
    """A checkout that somebody works in, and the bare repository that it pushes to."""

    top: Path
    remote: Path

    def git(self, *arguments: str, check: bool = True) -> str:
        return git(self.top, *arguments, check=check)

    def write(self, path: str, text: str) -> Path:
        file = self.top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def commit(self, path: str = "readme", text: str = "", *, message: str = "change") -> str:
        """Commit one file, past the hooks; the commit's id."""
        self.write(path, text or f"{os.urandom(4).hex()}\n")
        self.git("add", "-f", "--", path)
        self.git("commit", "-q", "--no-verify", "-m", message)
        return self.git("rev-parse", "HEAD")

    def push(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return run(["git", "push", "-q", *(arguments or ("origin", "main"))], self.top, environment)

    @property
    def hooks(self) -> Path:
        return self.top / ".git" / "hooks"


def run(
    command: list[str], cwd: Path, environment: dict[str, str] | None = None, stdin: str = ""
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def worked(folder: Path) -> Worked:
    """A fresh checkout, its first commit pushed."""
    remote, top = folder / "remote.git", folder / "work"
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "--bare", "-b", "main", str(remote))
    git(folder, "init", "-q", "-b", "main", str(top))
    for name, value in (("user.name", "a"), ("user.email", "a@example.invalid")):
        git(top, "config", name, value)
    git(top, "remote", "add", "origin", str(remote))
    made = Worked(top, remote)
    made.commit()
    made.git("push", "-q", "origin", "main")
    return made


def script(file: Path, body: str, interpreter: str = "#!/bin/sh") -> Path:
    """An executable hook."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{interpreter}\n{body}\n")
    file.chmod(0o755)
    return file


def picture(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below, with its mode and bytes (a link's are where it points); not git's objects."""
    found = {}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink():
            found[name] = (0, os.readlink(file).encode())
        elif file.is_file() and not name.startswith("objects/"):
            found[name] = (file.stat().st_mode, file.read_bytes())
    return found
