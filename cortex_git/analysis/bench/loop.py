"""The baseline of `bench queue`: a plain shell loop of pull, add, commit, push and retry in many clones.

Owns the script and the proof that each of its tasks landed once. It is written as a person would
write it, with git's own settings; nothing in it is made slow.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cortex_git.analysis.bench.workspace import Command, new_remote, plain_environment, run_together
from cortex_git.errors import EnvironmentProblem
from cortex_git.gitio import Git

SCRIPT = """\
set -u
clone=$1 worker=$2 number=$3 last=$4 until=$5
cd "$clone" || exit 1
while [ "$number" -le "$last" ] && [ "$(date +%s)" -lt "$until" ]; do
    git pull -q --rebase
    echo "{\\"worker\\": \\"$worker\\"}" > "results/$worker-$number.json"
    git add .
    git commit -q -m "feat: $worker completed $number"
    echo push >> ../pushes
    until git push -q; do
        git pull -q --rebase
        echo push >> ../pushes
    done
    echo "$worker-$number.json" >> "../$worker.done"
    number=$((number + 1))
done
"""
_TAIL_S = 300.0
"""How long tasks already begun may take after the window, before the run is given up."""


@dataclass(frozen=True, slots=True)
class Looped:
    """What the loop did: tasks landed, seconds they took, pushes tried."""

    tasks: int
    seconds: float
    pushes: int


def run_loop(
    folder: Path,
    clones: int,
    tasks: int | None,
    window_s: float,
    prepare: Callable[[Path], None] = lambda _clone: None,
) -> Looped:
    """The loop in so many clones of one bare remote below `folder`.

    No task is begun after `window_s`; those begun are finished and counted. `tasks` is the most in all,
    shared out evenly. `prepare` is called with each clone's folder before it begins. Raises
    EnvironmentProblem when what is on the remote is not what was done, or nothing was.
    """
    remote = _remote(folder)
    for number in range(clones):
        Git(folder).run("clone", "--quiet", str(remote), f"clone-{number}")
        prepare(folder / f"clone-{number}")
    shares = [_share(tasks, clones, number) for number in range(clones)]
    environment = plain_environment()
    until = str(int(time.time() + window_s) + 1)
    commands = [
        Command(
            ("sh", "-c", SCRIPT, "sh", f"clone-{number}", f"w{number}", "1", str(share), until),
            folder,
            environment,
            folder / f"w{number}.out",
        )
        for number, share in enumerate(shares)
    ]
    took = run_together(commands, window_s + _TAIL_S)
    done = _landed(folder, remote)
    if not done:
        raise EnvironmentProblem(
            f"the loop with {clones} clones did no task in its window of {window_s:g} s",
            "give it a longer one, or the machine less to do beside it",
        )
    if tasks is not None and took < window_s and done != tasks:
        raise EnvironmentProblem(f"the loop did {done} of {tasks} tasks", "run it again with --debug")
    return Looped(done, took, len((folder / "pushes").read_text().splitlines()))


def _share(tasks: int | None, clones: int, number: int) -> int:
    if tasks is None:
        return 1_000_000
    return tasks // clones + (number < tasks % clones)


def _remote(folder: Path) -> Path:
    remote = new_remote(folder / "remote.git")
    Git(remote).run(
        "fast-import",
        "--quiet",
        stdin=b"commit refs/heads/main\ncommitter bench <bench@example.invalid> 1735689600 +0000\n"
        b"data 5\nbegin\nM 100644 inline results/README\ndata 8\nresults\n\ndone\n",
    )
    return remote


def _landed(folder: Path, remote: Path) -> int:
    """How many tasks were done, once it is sure that the remote has exactly those, each in a commit."""
    done = [line for path in folder.glob("*.done") for line in path.read_text().splitlines()]
    git = Git(remote)
    there = git.text("ls-tree", "--name-only", "main:results").splitlines()
    commits = int(git.text("rev-list", "--count", "main")) - 1
    if sorted(there) != sorted([*done, "README"]) or commits != len(done):
        raise EnvironmentProblem(
            f"the loop did {len(done)} tasks, the remote has {len(there) - 1} in {commits} commits",
            "that is no fair measurement: run it again",
        )
    return len(done)
