"""Measurements: `bench queue`, `bench spawn`, `bench scan`."""

import typer

app = typer.Typer(help="Measure, side by side with a baseline.", no_args_is_help=True)
