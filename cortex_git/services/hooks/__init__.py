"""Git hooks: what is written into a repository, and what runs from there."""
