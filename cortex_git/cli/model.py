"""The command `model`: the coordination protocol explored, whole or without a part of it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cortex_git.cli.options import Format, FormatOption

if TYPE_CHECKING:
    from cortex_git.analysis.model.exploring import Explored
    from cortex_git.analysis.model.world import Case

_PARTS = (
    "Take this part of the protocol out (repeatable): empty-lease, recheck, fresh-fetch, claim-lease,"
    " own-lease, claim-nonce, publish-nonce, ref-order, tombstones, epoch, cancelled, late-claims,"
    " given-back."
)
_PROMISES = (
    "Look for what breaks this promise alone (repeatable): one-result, one-run, kept, not-fenced,"
    " cancelled, archived, ends."
)


def register(app: typer.Typer) -> None:
    """Add this module's command."""
    app.command(short_help="Explore a model of the coordination protocol, whole or without a part.")(model)


def model(
    case: Annotated[
        list[str] | None,
        typer.Option(
            "--case", metavar="NAME", help="Explore this case alone (repeatable).", show_default=False
        ),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option("--without", metavar="PART", help=_PARTS, show_default=False)
    ] = None,
    promise: Annotated[
        list[str] | None, typer.Option("--promise", metavar="NAME", help=_PROMISES, show_default=False)
    ] = None,
    hosts: Annotated[
        int | None,
        typer.Option(
            "--hosts",
            min=1,
            max=3,
            show_default=False,
            help="A case of your own: so many hosts (default: 2), and whatever else is asked for below.",
        ),
    ] = None,
    tasks: Annotated[
        int | None,
        typer.Option("--tasks", min=1, max=2, help="Tasks of it (default: 1).", show_default=False),
    ] = None,
    crashes: Annotated[
        int, typer.Option("--crashes", min=0, max=3, help="Processes or workers that die.")
    ] = 0,
    lost: Annotated[
        int,
        typer.Option(
            "--lost", min=0, max=3, help="Pushes whose answer is lost, landed or not, or landing late."
        ),
    ] = 0,
    suspicions: Annotated[
        int, typer.Option("--suspicions", min=0, max=3, help="Takeovers from a living host.")
    ] = 0,
    failures: Annotated[int, typer.Option("--failures", min=0, max=3, help="Attempts that fail.")] = 0,
    drains: Annotated[int, typer.Option("--drains", min=0, max=3, help="Claims given back unused.")] = 0,
    cancels: Annotated[int, typer.Option("--cancels", min=0, max=3, help="Cancels by anybody.")] = 0,
    copies: Annotated[int, typer.Option("--copies", min=0, max=1, help="Copies of the first clone.")] = 0,
    branch: Annotated[bool, typer.Option("--branch", help="With folds and archives.")] = False,
    most: Annotated[
        int, typer.Option("--most", min=1000, help="Most states of a case; beyond them it is given up.")
    ] = 3_000_000,
    output: FormatOption = Format.TABLE,
) -> None:
    """Explore every order in which hosts, faults and the remote can act in small cases; say what is promised.

    A broken promise comes with the shortest history that breaks it. The exit status is 0 where every promise
    holds in every state, else 1.
    """
    from cortex_git.analysis.model.cases import CASES
    from cortex_git.analysis.model.parts import PARTS
    from cortex_git.analysis.model.promises import PROMISES
    from cortex_git.analysis.model.world import Case
    from cortex_git.cli.output import print_json

    removed = _known(without, PARTS, "part")
    promises = _known(promise, PROMISES, "promise") or tuple(PROMISES)
    by_name = {one.name: one for one in CASES}
    chosen = [by_name[name] for name in _known(case, by_name, "case") or by_name]
    asked = (crashes, lost, suspicions, failures, drains, cancels, copies)
    if hosts or tasks or branch or any(asked):
        own = Case(
            "own", "as asked",
            hosts=hosts or 2, tasks=tasks or 1, folds=branch, archives=branch,
            crashes=crashes, lost=lost, suspicions=suspicions, failures=failures,
            drains=drains, cancels=cancels, copies=copies,
        )  # fmt: skip
        chosen = [own] if not case else [*chosen, own]
    found = _explored(chosen, frozenset(removed), promises, most)
    if output is Format.JSON:
        print_json({"without": list(removed), "promises": list(promises), **_document(found)})
    else:
        _print(found, promises)
    if any(one.wrong or not one.whole for one in found):
        raise typer.Exit(1)


def _known(names: Sequence[str] | None, known: Mapping[str, object], what: str) -> tuple[str, ...]:
    """The names as given, once each. Raises BadInput where one is not known."""
    from cortex_git.errors import BadInput

    for name in names or ():
        if name not in known:
            raise BadInput(f"no {what} is called {name!r}", f"they are: {', '.join(known)}")
    return tuple(dict.fromkeys(names or ()))


def _explored(
    cases: "Sequence[Case]", without: frozenset[str], promises: Sequence[str], most: int
) -> "list[Explored]":
    """What was found in each case, up to the first one that breaks a promise."""
    from dataclasses import replace
    from functools import partial

    from cortex_git.analysis.model.exploring import explore
    from cortex_git.cli.output import note

    found: list[Explored] = []
    for case in cases:
        note(f"{case.name}: {case.about}")
        told = partial(_tell, case.name)
        found.append(explore(replace(case, without=without), told, promises, most))
        if found[-1].wrong:
            break
    return found


def _tell(name: str, states: int, depth: int) -> None:
    from cortex_git.cli.output import note

    note(f"{name}: {states:,} states, {depth} steps deep")


def _document(found: "Sequence[Explored]") -> dict[str, Any]:
    from cortex_git.analysis.model.telling import lines

    return {
        "held": not any(one.wrong or not one.whole for one in found),
        "cases": [
            {
                "case": one.case.name,
                "about": one.case.about,
                "states": one.states,
                "depth": one.depth,
                "seconds": round(one.seconds, 3),
                "whole": one.whole,
                "promise": one.wrong.promise if one.wrong else None,
                "wrong": one.wrong.how if one.wrong else None,
                "history": list(lines(one.case, one.history)),
            }
            for one in found
        ],
    }


def _print(found: "Sequence[Explored]", promises: Sequence[str]) -> None:
    from cortex_git.analysis.model.promises import PROMISES
    from cortex_git.analysis.model.telling import lines
    from cortex_git.cli.output import print_line, print_table

    rows = [(one.case.name, one.states, one.depth, f"{one.seconds:.1f}", _verdict(one)) for one in found]
    print_table(("Case", "States", "Depth", "Seconds", "Promises"), rows, "nothing was explored")
    broken = next((one for one in found if one.wrong), None)
    if broken is None:
        if all(one.whole for one in found):
            print_line(f"Held in {sum(one.states for one in found):,} states:")
            for name in promises:
                print_line(f"  {name}: {PROMISES[name]}")
        return
    print_line(f"Broken in {len(broken.history)} steps, and in no fewer in this case: {broken.wrong.how}")  # type: ignore[union-attr]
    for number, line in enumerate(lines(broken.case, broken.history), 1):
        print_line(f"{number:4}. {line}")


def _verdict(one: "Explored") -> str:
    if one.wrong:
        return f"{one.wrong.promise} is broken"
    return "held" if one.whole else "given up: too many states"
