"""Which lockfiles each of the other scanners reads of its own accord: by kind, and by file name.

From their documentation, and their sources where that names only examples. A file that is not here may be
read all the same, where a person's own arguments ask for it; that it was not is no gap, and no vote.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cortex_git.scan.lockfiles import kind_of


@dataclass(frozen=True, slots=True)
class Files:
    """What one scanner reads."""

    names: Mapping[str, tuple[str, ...]]
    """Of each kind of lockfile it knows, globs of the file names that it takes for one."""
    passed_over: tuple[str, ...] = ()
    """Globs of paths, from a slash on, that it leaves out on purpose."""

    def knows(self, path: str) -> bool:
        """Whether it reads lockfiles of this kind, if perhaps not by this name."""
        return kind_of(path) in self.names

    def reads(self, path: str) -> bool:
        """Whether it reads the lockfile at this path without being told to."""
        _, _, name = path.rpartition("/")
        named = any(fnmatchcase(name, glob) for glob in self.names.get(kind_of(path) or "", ()))
        return named and not any(fnmatchcase(f"/{path}", glob) for glob in self.passed_over)


_MANY = {
    "npm": ("package-lock.json",),
    "yarn": ("yarn.lock",),
    "pnpm": ("pnpm-lock.yaml",),
    "requirements": ("*requirements*.txt",),
    "poetry": ("poetry.lock",),
    "uv": ("uv.lock",),
    "pipfile": ("Pipfile.lock",),
    "cargo": ("Cargo.lock",),
    "go": ("go.mod",),
    "bundler": ("Gemfile.lock",),
    "composer": ("composer.lock",),
    "gradle": ("gradle.lockfile",),
    "nuget-lock": ("packages.lock.json",),
}
"""What osv-scanner, Trivy and Grype have in common, where nothing else stands below."""

OSV_SCANNER = Files(
    {
        **_MANY,
        "npm": ("package-lock.json", "npm-shrinkwrap.json"),
        "pdm": ("pdm.lock",),
        "bundler": ("Gemfile.lock", "gems.locked"),
        "maven": ("pom.xml",),
        "gradle": ("gradle.lockfile", "buildscript-gradle.lockfile"),
    }
)
TRIVY = Files(
    {
        **_MANY,
        "requirements": ("requirements.txt",),
        "maven": ("pom.xml",),
        "gradle": ("*gradle.lockfile",),
    },
    passed_over=("*/.yarn/*yarn.lock", "*/vendor/*composer.lock"),
)
GRYPE = Files({**_MANY, "pdm": ("pdm.lock",)})
PIP_AUDIT = Files({"requirements": ("*",)})
"""It is given each file by its name."""
NPM_AUDIT = Files({"npm": ("*",)})
