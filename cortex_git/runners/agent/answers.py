"""What an agent hands in at the end, one form for each worker type, and the schema the model is shown.

Owns those forms. What is merely too long is cut and a single string counts as a list of one: to ask a
model again costs more than that is worth. What is missing or of another kind is refused.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

SUBMIT = "submit"
"""The tool that ends an agent's work."""

MOST_TEXT = 8000
"""Characters kept of any one text of an answer."""
MOST_ITEMS = 200
"""Entries kept of any one list of an answer."""

_Item = TypeVar("_Item")


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else text[: MOST_TEXT - 1] + "…"


def _listed(value: object) -> object:
    if isinstance(value, str):
        return [value] if value.strip() else []
    return value[:MOST_ITEMS] if isinstance(value, list) else value


def _texts(value: object) -> object:
    """Those of the items that can be read: no answer is asked for again because of what it asks of others."""
    many = value if isinstance(value, list) else [value]
    return [one for one in many if isinstance(one, str) and one.strip()]


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_cut)]
Many = Annotated[list[_Item], BeforeValidator(_listed)]
Severity = Annotated[Literal["critical", "high", "medium", "low"], BeforeValidator(_lower)]


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Answer(_Form):
    """What every agent hands in."""

    summary: Text = Field(min_length=1, description="what you did or found, in 1 to 5 sentences")
    remaining: Many[Text] = Field(
        default=[], description="what is not done or failed; empty when all is done"
    )
    follow_ups: Annotated[Many[Text], BeforeValidator(_texts)] = Field(
        default=[], description="tasks it leads to, each `fix-worker: what`"
    )


class Change(Answer):
    """Of work that changes files; branch, commit and tests run are known without the model."""

    subject: Text = Field(default="", description="commit message: what changes, at most 70 characters")


class Remark(_Form):
    """One finding of a review."""

    path: Text
    line: int | None = None
    severity: Severity
    problem: Text = Field(description="what goes wrong, and when")
    suggestion: Text = ""


class Review(Answer):
    verdict: Annotated[Literal["approve", "request_changes"], BeforeValidator(_lower)]
    findings: Many[Remark] = []


class Fact(_Form):
    """One thing that an analysis found."""

    title: Text
    detail: Text
    path: Text = ""
    line: int | None = None


class Analysis(Answer):
    findings: Many[Fact] = []


class Triaged(_Form):
    """What a triage says of one finding of the scanner."""

    id: Text
    package: Text = ""
    reachable: Annotated[Literal["yes", "no", "unknown"], BeforeValidator(_lower)]
    evidence: Text = Field(description="the import or call with file and line, or what you searched for")
    fix: Text = Field(description="how to get rid of it: the version to go to, what that may break")
    priority: Severity


class Triage(Answer):
    findings: Many[Triaged]


class PullRequest(Answer):
    title: Text = Field(min_length=1, description="at most 70 characters")
    body: Text = Field(min_length=1, description="Markdown")


FORMS: Mapping[str, type[Answer]] = {
    "implementation-worker": Change,
    "fix-worker": Change,
    "test-worker": Change,
    "documentation-worker": Change,
    "review-worker": Review,
    "analysis-worker": Analysis,
    "scan-worker": Triage,
    "pr-worker": PullRequest,
}


def form_of(worker_type: str) -> type[Answer]:
    """The form for a worker type; an analysis for one that is not ours."""
    return FORMS.get(worker_type, Analysis)


def definition(form: type[Answer]) -> dict[str, Any]:
    """The `submit` tool for answers of that form, its schema as small as can be: each turn sends it."""
    schema = form.model_json_schema()
    parts = schema.pop("$defs", {})
    return {
        "name": SUBMIT,
        "description": "Hand in your result; ends the task.",
        "input_schema": _small(schema, parts),
    }


def _small(node: Any, parts: Mapping[str, Any], *, named: bool = False) -> Any:
    """The schema without titles, defaults, docstrings and references. `named`: keys are properties."""
    if isinstance(node, list):
        return [_small(item, parts) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _small(parts[node["$ref"].rpartition("/")[2]], parts)
    if named:
        return {key: _small(value, parts) for key, value in node.items()}
    if "anyOf" in node:  # `int | None`: leaving it out says the same
        node = {**node, **next(one for one in node["anyOf"] if one.get("type") != "null")}
    dropped = {"title", "default", "anyOf", "minLength"} | (
        {"description"} if "properties" in node else set()
    )
    return {
        key: _small(value, parts, named=key == "properties")
        for key, value in node.items()
        if key not in dropped
    }


class Unusable(ValueError):
    """An answer that is not of its form; the text says why, for the model to read."""


def parsed(form: type[Answer], value: object) -> Answer:
    """What the model handed in. Raises Unusable."""
    try:
        return form.model_validate(value)
    except ValidationError as error:
        wrong = [
            f"{'.'.join(str(part) for part in one['loc']) or 'answer'}: {one['msg']}"
            for one in error.errors(include_url=False, include_input=False)[:5]
        ]
        raise Unusable("; ".join(wrong)) from error
