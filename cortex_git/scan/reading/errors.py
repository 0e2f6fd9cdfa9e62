"""Why a repository could not be read; a scan turns these into one failed or incomplete row."""

from cortex_git.errors import EnvironmentProblem


class RepositoryUnreadable(EnvironmentProblem):
    """There is no repository here, or it does not answer."""


class NoCommit(EnvironmentProblem):
    """The repository is there but its HEAD names no commit yet: nothing to vouch for."""
