"""The group `cortex-git bench`: measurements of coordination, starts, scans, policies, limits and routing.

Owns the order of its help; each command is in the module of its subject.
"""

import typer

from cortex_git.cli.bench_baselines import peers, scan, spawn
from cortex_git.cli.bench_coordination import growth, latency, overhead, queue
from cortex_git.cli.bench_everything import every
from cortex_git.cli.bench_forecast import forecast
from cortex_git.cli.bench_models import limits, route
from cortex_git.cli.bench_planning import policies, simulation

app = typer.Typer(help="Measure, side by side with a baseline.", no_args_is_help=True)
for command in (
    forecast, queue, latency, spawn, every, peers, overhead, simulation, scan, growth, policies, limits, route
):  # fmt: skip
    app.command(name="all" if command is every else None)(command)
