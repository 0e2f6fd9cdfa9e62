"""A result is published whoever holds the claim: its deletion asks for no value of it."""

from cortex_git.store import publishing
from cortex_git.store.refs import ANY, Update


def update(ref, new, expected):
    return Update(ref, new, ANY if new is None and "/claims/" in ref else expected)


publishing.Update = update
