"""What commands that look at tasks say of documents that newer versions wrote."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cortex_git.store.coordination import Coordination


def note_newer(coordination: "Coordination") -> None:
    """A line on stderr for each kind of document that this version cannot read, as of the last pull."""
    from cortex_git.cli.output import note
    from cortex_git.services.upgrading import newer_notes
    from cortex_git.store.indexing import refresh

    for text in newer_notes(coordination, refresh(coordination.repository)):
        note(text)
