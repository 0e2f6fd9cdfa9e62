"""A made-up run of `bench all`: what each machine-dependent table's document would hold."""

from typing import Any

MADE_UP: dict[str, dict[str, Any]] = {
    "spawn": {
        "cold_ms_p50": 1398.2,
        "warm_ms_p50": 1.168,
        "ratio": 1197.0,
        "command_ms_p50": 203.1,
        "typer_ms_p50": 82.0,
        "command_to_typer": 2.48,
        "warm_runs": 50,
        "dispatch_ms_p50": 0.42,
        "fork_ms_p50": 5.1,
        "claim_ms_p50": 64.0,
    },
    "queue": {
        "rows": [
            {
                "workers": 20,
                "ours_tasks_per_min": 5517.0,
                "loop_tasks_per_min": 133.2,
                "ratio": 41.4,
                "ratio_to_best_loop": 4.5,
                "ours_runs_s": [9.0, 4.3, 5.4],
                "ours_pushes": 50,
                "loop_tasks": 40,
                "loop_pushes": 541,
            },
        ]
    },
    "overhead": {
        "task_s": 1.2,
        "rows": [
            {
                "workers": workers,
                "tasks_per_min": 248.3,
                "overhead": overhead,
                "bound": 0.02,
                "published_comparison": theirs,
            }
            for workers, overhead, theirs in ((5, 0.007, 0.02), (20, 0.014, 0.08), (64, 0.023, None))
        ],
    },
    "ten-tasks": {
        "runs": [
            {"tasks": 10, "task_s": 15.0, "workers": workers, "wall_s": wall_s, "efficiency": 0.97}
            for workers, wall_s in ((1, 151.0), (20, 15.4))
        ]
    },
    "audit": {
        "runs": [
            {"tasks": 20, "task_s": 13.0, "workers": workers, "wall_s": wall_s, "efficiency": 0.97}
            for workers, wall_s in ((1, 262.0), (20, 13.4))
        ]
    },
    "scan": {
        "repositories": 20,
        "workers": 20,
        "packages": 500,
        "parallel_s": 1.98,
        "sequential_s": 2.28,
        "xargs_s": 13.5,
        "parallel_to_xargs": 0.147,
        "sequential_to_parallel": 1.15,
        "findings": 76,
        "database": "starter set",
        "runs_s": {"parallel": [1.9], "sequential": [2.2], "xargs": [13.5]},
    },
    "limits": {
        "workers": 20,
        "requests": 1000,
        "tokens": 400000,
        "task_tokens": 8000,
        "calls": 4,
        "call_s": 1.0,
        "windows": 3.0,
        "throughput": 0.968,
        "most_requests": {"by_arrival": 199, "by_end": 199},
        "most_tokens": {"by_arrival": 398000, "by_end": 398000},
        "within": True,
    },
    "memory": {"workers": 20, "warm_own_mib": 2.1, "warm_resident_mib": 68.0, "cold_own_mib": 64.0},
    "recycling": {"replacement_ms": 9.1, "replaced": 40, "tasks": 400},
    "peers": {
        "workers": 8,
        "rows": [
            {
                "name": name,
                "version": None,
                "keeps": "tasks",
                "task_s": 0.0,
                "tasks": 2000,
                "tasks_per_s": per_s,
                "ratio": 1.0,
                "note": None,
            }
            for name, per_s in (
                ("cortex-git", 124.2),
                ("huey, SQLite, threads", 112.3),
                ("GNU parallel", None),
            )
        ],
    },
}
