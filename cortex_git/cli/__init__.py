"""The command line: parse, call one function, render. Only here are typer and rich imported."""
