#!/usr/bin/env python3
"""Fuzz the parsers of outside data: bytes changed at random, those kept that reach code not reached before.

    scripts/fuzz.py                          every target for a minute
    scripts/fuzz.py headers osv --seconds 300
    scripts/fuzz.py --repeat headers FILE    what a fault that was found comes from

The targets are those of `tests/fuzz/targets`. On first use it makes this checkout's .venv with the extra
`fuzz`. Exit status 1: a fault was found, and its input is kept.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
MOST_BYTES = 4096
"""Of an input; what costs more than its size is looked for by tests of their own."""
SLOW_S = 10
"""An input that takes longer is a fault."""
MEMORY_MIB = 2048


def main() -> int:
    """Run what the command line asks for."""
    given = _arguments()
    sys.path[:0] = [str(CHECKOUT), str(CHECKOUT / "tests")]
    if given.child:
        _fuzz(given.child, given.rest)
    if find_spec("pydantic" if given.list or given.repeat else "atheris") is None:
        _set_up()
    from fuzz.targets import all_targets

    known = all_targets()
    if given.list:
        _say(*known)
        return 0
    if given.repeat:
        name, file = given.repeat
        known[name].check(Path(file).read_bytes())
        _say(f"{name}: no fault")
        return 0
    unknown = [name for name in given.targets if name not in known]
    if unknown:
        _say(f"no target {unknown[0]!r}: use {', '.join(known)}")
        return 2
    kept = Path(tempfile.mkdtemp(prefix="cortex-fuzz-"))
    runs = [_run(name, given.seconds, given.seed, kept) for name in given.targets or known]
    faults = sum(runs)
    _say(f"{len(runs)} targets, {faults} with a fault" + (f"; inputs in {kept}" if faults else ""))
    if not faults:
        kept.rmdir()
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the random changes (default: %(default)s)")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--repeat", nargs=2, metavar=("TARGET", "FILE"), help="run one input again")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--rest", nargs=argparse.REMAINDER, default=[], help=argparse.SUPPRESS)
    return parser.parse_args()


def _set_up() -> None:
    """Have .venv with the extra, and go on there."""
    script = 'root=$1; source "$root/scripts/setup.sh"; ensure_ready fuzz'
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script, "fuzz", str(CHECKOUT)], check=False)
    if done.returncode:
        sys.exit(done.returncode)
    python = CHECKOUT / ".venv/bin/python"
    os.execv(python, [str(python), __file__, *sys.argv[1:]])  # noqa: S606 - ourselves


def _run(name: str, seconds: int, seed: int, kept: Path) -> bool:
    """Fuzz one target in a process of its own; whether a fault was found."""
    with tempfile.TemporaryDirectory(prefix="cortex-fuzz-corpus-") as corpus:
        options = [
            f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={MOST_BYTES}", f"-timeout={SLOW_S}",
            f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={kept}/{name}-", "-print_final_stats=1",
        ]  # fmt: skip
        command = [sys.executable, __file__, "--child", name, "--rest", corpus, *options]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    found = sorted(kept.glob(f"{name}-*"))
    told = done.stderr + done.stdout
    faulty = bool(found or done.returncode)
    _say(f"{name}: {_figures(told)}" + (", A FAULT" if faulty else ""))
    if faulty:
        _say(*(f"    {line}" for line in _reason(told)))
    for file in found:
        _say(f"    input: {file.read_bytes()[:300]!r}", f"    again: scripts/fuzz.py --repeat {name} {file}")
    return faulty


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def _figures(told: str) -> str:
    """Executions, and how many more places were reached than by the inputs that it began with."""
    executed = re.findall(r"number_of_executed_units: (\d+)", told) or re.findall(r"^#(\d+)", told, re.M)
    reached = [int(count) for count in re.findall(r"\bcov: (\d+)", told)]
    counts = f"{reached[0] if reached else 0} places reached at first, {max(reached, default=0)} in the end"
    return f"{int(executed[-1]) if executed else 0:,} executions, {counts}"


def _reason(told: str) -> list[str]:
    """The last lines of the traceback, or of what the fuzzer says."""
    lines = [line for line in told.splitlines() if line.strip()]
    ends = [
        number
        for number, line in enumerate(lines)
        if line.startswith(("==", "Traceback")) or "ERROR:" in line
    ]
    start = ends[0] if ends else max(len(lines) - 12, 0)
    return lines[start : start + 40][-24:]


def _fuzz(name: str, options: list[str]) -> None:
    """Be the process that fuzzes one target; does not return."""
    import atheris

    # The modules are instrumented as they are imported, those too that the first inputs have loaded.
    with atheris.instrument_imports(include=["cortex_git", "cvss", "packaging", "tomllib", "yaml"]):
        from fuzz.targets import FAMILIES, targets_of

        target = next(found[name] for family in FAMILIES if name in (found := targets_of(family)))
        for seed in target.seeds:
            target.check(seed)
    for number, seed in enumerate(target.seeds):
        (Path(options[0]) / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
