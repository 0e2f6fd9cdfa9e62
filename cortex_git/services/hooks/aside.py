"""Our hooks in a folder of our own that git is led to, where `core.hooksPath` leads elsewhere without us.

Every other hook of that folder is passed on to: without that it would no longer run. Nothing in it is
touched, so it may be tracked, made anew by its tool, or shared by all repositories of a user.
"""

import os
import shlex
import shutil
from collections.abc import Iterator, Sequence

from cortex_git.services.hooks import scripts
from cortex_git.services.hooks.config_block import (
    has_block,
    replace_config,
    setting,
    with_block,
    without_block,
)
from cortex_git.services.hooks.places import FOLDER, Place
from cortex_git.services.hooks.scripts import HOOKS
from cortex_git.services.hooks.steps import HookState, State, Step, read, writing

CLIENT_HOOKS = (
    "applypatch-msg", "commit-msg", "post-applypatch", "post-checkout", "post-commit", "post-merge",
    "post-rewrite", "pre-applypatch", "pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push",
    "pre-rebase", "prepare-commit-msg",
)  # fmt: skip
"""Passed on whether they are there or not: one that is added later has to run."""
RARE_HOOKS = (
    "post-index-change", "post-receive", "post-update", "pre-receive", "proc-receive", "push-to-checkout",
    "reference-transaction", "sendemail-validate", "update",
)  # fmt: skip
"""Passed on where they are there: their mere presence costs time, or changes what git does."""


def add(place: Place, names: Sequence[str]) -> Iterator[Step]:
    """Write the folder first, and lead git to it last."""
    for name, text in _texts(place, names).items():
        file = place.folder / name
        if read(file) != text:
            yield Step(f"write {file}", writing(file, text))
    lead, wanted = place.folder.parent / "config", setting(place)
    if read(lead) != wanted:
        yield Step(f"write {lead}", writing(lead, wanted, 0o644))
    config = read(place.config)
    if not (has_block(config, place) and (place.leads_to_us or not place.folder.is_dir())):
        new = with_block(config, place)
        said = f"add lines to {place.config} that lead git from {place.led_from} to {place.folder}"
        yield Step(said, lambda: replace_config(place.config, config, new))


def remove(place: Place) -> Iterator[Step]:
    """Let git look where it did, then delete the folder."""
    config = read(place.config)
    if without_block(config) != config:
        new = without_block(config)
        text = f"take our lines out of {place.config}"
        yield Step(text, lambda: replace_config(place.config, config, new))
    folder = place.common / FOLDER
    if folder.is_dir():
        yield Step(f"delete {folder}", lambda: shutil.rmtree(folder))


def state(place: Place, name: str) -> HookState:
    """Whether ours is there and git is led to it."""
    content = read(place.folder / name)
    before = _as_git_calls(place, name)
    found: State = "outdated"
    if not place.leads_to_us or content == scripts.passing_on(shlex.quote(before)):
        found = "replaced" if scripts.is_ours(content) and not place.leads_to_us else "absent"
    elif not scripts.is_ours(content):
        found = "replaced"
    elif content == _texts(place, HOOKS)[name]:
        found = "installed"
    there = os.access(place.top / before, os.X_OK)
    return HookState(name, found, str(place.folder / name), before if there else None)


def _texts(place: Place, names: Sequence[str]) -> dict[str, bytes]:
    """What belongs into our folder: our hooks, and one for each other that git may run."""
    texts = {}
    rare = [name for name in RARE_HOOKS if os.access(place.top / _as_git_calls(place, name), os.X_OK)]
    for name in (*CLIENT_HOOKS, *rare):
        before = shlex.quote(_as_git_calls(place, name))
        own = name in names
        texts[name] = scripts.hook(name, before, '"$before" "$@"') if own else scripts.passing_on(before)
    return texts


def _as_git_calls(place: Place, name: str) -> str:
    """A relative setting counts from where a hook runs: the top of whichever work tree that is."""
    return f"{place.led_from}/{name}"
