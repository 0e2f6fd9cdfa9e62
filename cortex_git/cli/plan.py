"""The command `cortex-git plan`: where scaling stops on this host, and what simulations say of others."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_git.cli.options import Format, FormatOption, RepositoryOption, check_amounts, numbers_of

if TYPE_CHECKING:
    from cortex_git.services.plan_sources import Input, Throughput
    from cortex_git.services.planning import Capacity, Plan, Planning, Scaling

_NAMES = {
    "free_memory": "Free memory", "memory_per_worker": "Memory of a worker", "task_seconds": "Time of a task",
    "tokens_per_minute": "Tokens a minute", "requests_per_minute": "Requests a minute",
    "tokens_per_task": "Tokens of a task", "throughput": "Throughput",
}  # fmt: skip


_REPOSITORIES, _WORKERS, _HOSTS, _SEED = 1000, "10,100,1000,10000", "1", 1
"""What is simulated where nobody says."""


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Show where more workers stop paying, and what to change.")(plan)


def plan(
    workers_max: Annotated[
        int, typer.Option("--workers-max", min=1, max=64, help="The most workers that this host may have.")
    ] = 64,
    worker_mib: Annotated[
        float | None,
        typer.Option(
            "--memory-per-worker", metavar="MB", min=1, max=1e9,
            help="MiB of one worker (default: as measured, else pool.rss_mib).", show_default=False,
        ),
    ] = None,
    free_mib: Annotated[
        float | None,
        typer.Option(
            "--free-memory", metavar="MB", min=0, max=1e12,
            help="MiB that workers may use (default: what is free now).", show_default=False,
        ),
    ] = None,
    tokens_per_min: Annotated[
        int | None,
        typer.Option(
            "--tokens-per-minute", metavar="N", min=1, max=10**12,
            help="The account's limit, for all hosts (default: as configured, or as the provider answered).",
            show_default=False,
        ),
    ] = None,
    tokens_per_task: Annotated[
        int | None,
        typer.Option(
            "--tokens-per-task", metavar="N", min=1, max=10**12,
            help="Tokens of one task (default: as past results, else its budget).", show_default=False,
        ),
    ] = None,
    task_s: Annotated[
        float | None,
        typer.Option(
            "--task-seconds", metavar="S", min=0.001, max=1e6,
            help="Seconds of one task (default: as past results).", show_default=False,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Throughput from the JSON of bench overhead, queue or simulation.",
            show_default=False,
        ),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure", help="Measure here first: throughput, or with --simulate what operations cost."
        ),
    ] = False,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate a batch at each of --workers and --hosts.")
    ] = False,
    repositories: Annotated[
        int, typer.Option("--repositories", min=1, max=100_000, help="Tasks to simulate, one a repository.")
    ] = _REPOSITORIES,
    workers: Annotated[
        str, typer.Option("--workers", metavar="N,…", help="Workers to simulate, over all hosts.")
    ] = _WORKERS,
    hosts: Annotated[
        str, typer.Option("--hosts", metavar="N,…", help="Hosts to simulate, all like this one.")
    ] = _HOSTS,
    round_trip_ms: Annotated[
        float,
        typer.Option("--round-trip-ms", min=0, max=60_000, help="To the remote and back, to simulate."),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="What task times are drawn from.")] = _SEED,
    repository: RepositoryOption = None,
    output: FormatOption = Format.TABLE,
) -> None:  # fmt: skip
    """Show where more workers stop paying on this host (memory, rate, coordination), and what to change.

    Each figure says where it is from: given, measured, or configured. Changes nothing.
    """
    from cortex_git.cli.output import note, print_json
    from cortex_git.locating import located
    from cortex_git.services.plan_sources import Wishes
    from cortex_git.services.planning import Planning

    check_amounts(worker_mib, free_mib, task_s, round_trip_ms)
    counts = numbers_of(workers, "--workers", 100_000)
    machines = numbers_of(hosts, "--hosts", 1_000)
    if not simulate:
        _refuse(repositories, workers, hosts, round_trip_ms, seed)
    coordination = None
    if located(repository) is not None:
        from cortex_git.services import open_coordination

        coordination = open_coordination(repository)
    else:
        note("no coordination repository here: what its results and settings would say is not known")
    wishes = Wishes(workers_max, worker_mib, free_mib, tokens_per_min, tokens_per_task, task_s)
    throughput = _throughput(source, measure and not simulate, workers_max, task_s)
    making = Planning(coordination, wishes, throughput)
    capacity = None
    if simulate:
        capacity = _simulated(making, repositories, counts, machines, seed, round_trip_ms / 1000, measure)
    found = making.plan(capacity)
    if output is Format.JSON:
        print_json(found.to_json())
    else:
        _print(found)


def _refuse(repositories: int, workers: str, hosts: str, round_trip_ms: float, seed: int) -> None:
    """Raise BadInput for what is about a simulation that nobody asked for."""
    from cortex_git.errors import BadInput

    given = {
        "--repositories": repositories != _REPOSITORIES,
        "--workers": workers != _WORKERS,
        "--hosts": hosts != _HOSTS,
        "--round-trip-ms": bool(round_trip_ms),
        "--seed": seed != _SEED,
    }
    if extra := [name for name, told in given.items() if told]:
        raise BadInput(f"{extra[0]} is about a simulation", "give --simulate too")


def _throughput(
    source: Path | None, measure: bool, workers_max: int, task_s: float | None
) -> "Throughput | None":
    from cortex_git.cli.output import note
    from cortex_git.errors import BadInput

    if source is not None and measure:
        raise BadInput("--from and --measure are two sources of one thing", "give one of them")
    if source is not None:
        from cortex_git.services.plan_sources import read_document

        return read_document(source)
    if measure:
        from cortex_git.cli.bench_machine import machine_now
        from cortex_git.services.planning import measure as measured

        machine_now()  # says where the machine is not idle, so that the figures will be low
        return measured(workers_max, note, task_s)
    return None


def _simulated(
    making: "Planning",
    repositories: int,
    workers: list[int],
    hosts: list[int],
    seed: int,
    round_trip_s: float,
    measure: bool,
) -> "Capacity":
    costs = None
    if measure:
        from cortex_git.analysis.bench.simulation import calibrate
        from cortex_git.cli.bench_machine import machine_now
        from cortex_git.cli.output import note

        machine_now()
        costs = calibrate(note), "measured: just now"
    return making.capacity(repositories, workers, hosts, seed=seed, round_trip_s=round_trip_s, costs=costs)


def _print(found: "Plan") -> None:
    from cortex_git.cli.output import print_line, print_table

    print_table(["Figure", "Value", "From"], [_input(one) for one in found.inputs], "nothing is known")
    rows = [
        [
            wall.wall,
            wall.workers,
            "" if wall.tasks_per_min is None else _rate(wall.tasks_per_min),
            wall.text,
        ]
        for wall in found.walls
    ]
    print_table(["Wall", "Workers", "Tasks/min", "How"], rows, "no wall is known")
    for why in found.unknown:
        print_line(f"Not known: {why}")
    wall, following = found.nearest, found.next
    if wall is not None:
        print_line(f"Nearest: {wall.wall}. To move it: {wall.move}")
    if wall is not None and following is not None:
        print_line(f"Moving it pays up to {following.workers} workers, where {following.wall} is met")
    print_line(f"Workers for this host: {found.recommended} (at most {found.workers_max})")
    if found.scaling is not None:
        _print_scaling(found.scaling)
    if found.capacity is not None:
        _print_capacity(found.capacity)


def _input(one: "Input") -> list[object]:
    value = "not known" if one.value is None else f"{one.value:,.6g} {one.unit}"
    return [_NAMES.get(one.name, one.name), value, one.source]


def _rate(value: float) -> str:
    """Four digits that count, and no exponent: `13,400`."""
    return f"{float(f'{value:.4g}'):,.10g}"


def _print_scaling(scaling: "Scaling") -> None:
    from cortex_git.cli.output import print_line, print_table

    told = scaling.to_json()
    r2 = "not defined" if told["r2"] is None else f"{told['r2']:.4f}"
    peak = f"at {told['peak_workers']} workers" if told["peak_workers"] else (
        f"not within twice the {told['measured_most']} measured"
    )  # fmt: skip
    print_line(
        f"Curve: lambda {_rate(told['lambda'])} tasks/min, sigma {told['sigma']:.3g},"
        f" kappa {told['kappa']:.3g}, R² {r2}, peak {peak}"
    )
    if told["measured_task_s"] is not None and told["task_s"] != told["measured_task_s"]:
        print_line(f"Measured with tasks of {told['measured_task_s']:g} s, told for {told['task_s']:g} s")
    rows = [
        [
            f"{row['workers']}{' (extrapolated)' if row['extrapolated'] else ''}",
            _rate(row["tasks_per_min"]),
            f"{_rate(row['low'])} to {_rate(row['high'])}",
            f"{row['overhead']:.1%}",
        ]
        for row in told["curve"]
    ]
    print_table(["Workers", "Tasks/min", "95 % band", "Lost to the others"], rows, "no curve")


def _print_capacity(capacity: "Capacity") -> None:
    from cortex_git.cli.output import print_line, print_table
    from cortex_git.cli.status_view import duration

    print_line(f"Simulated: {capacity.repositories:,} tasks, seed {capacity.seed}")
    print_line(f"Task times: {capacity.times_source}")
    print_line(f"Costs of operations: {capacity.costs_source}")
    rows = [
        [
            row.setup.hosts,
            f"{row.setup.workers:,}",
            f"{row.started:,}",
            f"{row.tasks_per_min:,.1f}",
            duration(row.makespan_s),
            row.wall,
            ", then ".join(f"{phase.wall} to {duration(phase.to_s)}" for phase in row.when[:4])
            + (" …" if len(row.when) > 4 else ""),
        ]
        for row in capacity.rows
    ]
    columns = ["Hosts", "Workers", "Started", "Tasks/min", "Takes", "Binds", "When"]
    print_table(columns, rows, "nothing was simulated")
