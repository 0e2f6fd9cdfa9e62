"""What every settings section is: frozen, and strict about names, so that a typo is no silent default."""

from pydantic import BaseModel, ConfigDict

SCHEMA = 1
"""Version of both files; without one a file is of the first. A newer one is refused."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
