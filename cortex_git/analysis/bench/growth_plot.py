"""The costs of `bench growth` as a picture.

Owns the drawing, and that it needs matplotlib (the extra `plot`). The table is what counts.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from cortex_git.analysis.bench.growth import BOUNDED, GrowthRow
from cortex_git.errors import BadInput, EnvironmentProblem

_ENDINGS = (".svg", ".png", ".pdf")


def check_plot(path: Path) -> None:
    """Raises BadInput for a file that cannot be drawn to, EnvironmentProblem without matplotlib."""
    if path.suffix not in _ENDINGS or not path.absolute().parent.is_dir():
        raise BadInput(
            f"--plot {path} cannot be drawn to", f"name a {', '.join(_ENDINGS)} in a folder there is"
        )
    if importlib.util.find_spec("matplotlib") is None:
        raise EnvironmentProblem("--plot needs matplotlib", "pip install 'cortex-git[plot]'")


def draw(rows: Sequence[GrowthRow], path: Path) -> None:
    """Milliseconds by number of results, a line for each bounded figure, both axes logarithmic."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name in BOUNDED:
        values = [row.cost_ms[name] for row in rows]
        axes.plot([row.past.results for row in rows], values, marker="o", label=name.replace("_", " "))
    axes.set(xscale="log", yscale="log", xlabel="results", ylabel="ms")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
