"""The command `cortex-git bench forecast`."""

from typing import Annotated

import typer

from cortex_git.cli.options import Format, FormatOption


def forecast(
    seed: Annotated[int, typer.Option("--seed", help="What the traces are made from.")] = 1,
    trace: Annotated[
        list[str] | None,
        typer.Option("--trace", help="Only this one of steady, wave, bursts and trend; may be repeated."),
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Errors of the predictive policy's forecast, of the last value, and of the season before."""
    from importlib.metadata import version

    from cortex_git.analysis.bench.forecast import HORIZONS, bench_forecast
    from cortex_git.analysis.bench.traces import FORECAST_TRACES, traces_of
    from cortex_git.cli.output import note, print_json, print_table
    from cortex_git.workers.forecasting import BIN_S, MOST_BINS, arrival_forecaster

    traces = traces_of(seed, trace or [], FORECAST_TRACES)
    arrival_forecaster(BIN_S)
    rows = [row.to_json() for row in bench_forecast(traces, note)]
    if output is Format.JSON:
        settings = {"bin_s": BIN_S, "history_min": MOST_BINS, "horizons_min": [*HORIZONS]}
        print_json({"seed": seed, **settings, "statsmodels": version("statsmodels"), "rows": rows})
        return
    headings = {
        "trace": "Trace", "horizon_min": "Minutes ahead", "method": "Method", "mae": "MAE", "rmse": "RMSE",
        "mase": "MASE", "bias": "Bias", "forecasts": "Forecasts",
    }  # fmt: skip
    print_table([*headings.values()], [[row[key] for key in headings] for row in rows], "nothing judged")
