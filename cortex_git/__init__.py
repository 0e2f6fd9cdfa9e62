"""cortex-git: parallel workers coordinated through a git remote and nothing else."""

__version__ = "0.1.0"
