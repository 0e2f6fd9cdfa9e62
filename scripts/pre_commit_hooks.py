"""Writes .pre-commit-hooks.yaml: the hooks that the pre-commit framework takes from this repository.

Run it after the table of lockfile names changed; tests/test_integrations.py fails until that is done.
"""

from pathlib import Path

from cortex_git.scan.lockfiles import path_expression

PAGE = Path(__file__).parents[1] / ".pre-commit-hooks.yaml"
_TEXT = """\
# For the pre-commit framework (https://pre-commit.com). Written by scripts/pre_commit_hooks.py.
- id: cortex-git-scan
  name: known-vulnerable dependencies in changed lockfiles
  description: Stops for new findings at or above the git setting cortex-git.failOn (default high).
  entry: cortex-git hooks run files
  language: python
  files: '{files}'
  stages: [pre-commit, pre-merge-commit, pre-push, manual]
  require_serial: true
  minimum_pre_commit_version: 3.2.0
- id: cortex-git-guard
  name: secrets and stray coordination files
  description: Stops for what looks like a secret in added lines, and for files that are one clone's own.
  entry: cortex-git hooks run pre-commit
  language: python
  pass_filenames: false
  stages: [pre-commit, pre-merge-commit, pre-push, manual]
  require_serial: true
  minimum_pre_commit_version: 3.2.0
"""


def text() -> str:
    """The file as it should be."""
    return _TEXT.format(files=path_expression().replace("'", "''"))


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
