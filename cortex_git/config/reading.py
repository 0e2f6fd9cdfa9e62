"""Settings from TOML: checked, or refused with a line that names the file and the setting."""

import tomllib
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from cortex_git.config.sections import SCHEMA
from cortex_git.errors import BadInput, NewerSchema

AnySection = TypeVar("AnySection", bound=BaseModel)


def validated(model: type[AnySection], data: bytes, where: str) -> AnySection:
    """The settings in `data`; `where` names the file in errors. Raises BadInput."""
    try:
        values: dict[str, Any] = tomllib.loads(data.decode())
        found = values.get("schema")
        if isinstance(found, int) and found > SCHEMA:
            raise NewerSchema(where, "settings file", found, SCHEMA)
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        newer = ", or install the newer cortex-git that has it" if first["type"] == "extra_forbidden" else ""
        raise BadInput(f"{where}: {key}: {first['msg']}", f"correct or remove that setting{newer}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: not valid TOML: {error}", "correct the file") from error
