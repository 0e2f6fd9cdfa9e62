"""One attempt of an agent, from the task to its outcome, whatever the provider.

Owns the order: model, folder, conversation, turns, then the branch with the work. What was done is
published however the attempt ends, and nothing of it is merged.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cortex_git.config import HostSettings, Models, Settings, load_host_settings, load_settings
from cortex_git.errors import CortexError
from cortex_git.limits.gate import Gate
from cortex_git.limits.ledger import Ledger
from cortex_git.limits.meter import Meter
from cortex_git.llm import Client
from cortex_git.locating import CONFIG, private_folder
from cortex_git.runners import RunContext, RunOutcome
from cortex_git.runners.agent.answers import Change, definition, form_of
from cortex_git.runners.agent.calling import Caller
from cortex_git.runners.agent.conversation import Conversation
from cortex_git.runners.agent.material import NO_REPOSITORY, Material, continued, diff_of, triage
from cortex_git.runners.agent.prompts import Marks, first_message, system_prompt
from cortex_git.runners.agent.record import Record
from cortex_git.runners.agent.tier import complexity_of
from cortex_git.runners.agent.tools import Toolbox
from cortex_git.runners.agent.turns import Ending, Turns
from cortex_git.state import monotonic

if TYPE_CHECKING:
    from cortex_git.runners.agent.checkout import Checkout

_MARGIN = 0.1
_MOST_MARGIN_S = 30.0
"""Of an attempt's time, what is kept to commit and push the work: a tenth, and no more than this."""


def run(client: Client, task: Mapping[str, Any], context: RunContext) -> RunOutcome:
    """Carry out `task` with that client's models, within what the ledger holds for `context.nonce`."""
    started = monotonic()
    host = load_host_settings()
    complexity = complexity_of(task)
    model = _models(client.provider, host, _shared(context.folder)).for_complexity(complexity)
    record = Record(context.so_far, provider=client.provider, model=model, complexity=complexity)
    folder = Path(context.folder)
    ledger = Ledger.open(folder, context.host)
    meter = Meter(ledger, Gate.open(folder, client.provider), context.nonce, model.name)
    margin = min(_MOST_MARGIN_S, context.deadline_s * _MARGIN)
    deadline = started + context.deadline_s - margin
    try:
        ending = _Attempt(task, context, host, record, client, meter, model.name, deadline).ending()
    except CortexError as error:
        ending = Ending("failed", error=str(error))
    finally:  # a worker that is cut off publishes this too
        used = ledger.used(context.nonce)
        record.spent(used.unknown)
    return RunOutcome(ending.status, record.so_far, ending.error, ending.retry, used.total)


@dataclass
class _Attempt:
    task: Mapping[str, Any]
    context: RunContext
    host: HostSettings
    record: Record
    client: Client
    meter: Meter
    model: str
    deadline: float

    def ending(self) -> Ending:
        """Work in a checkout of the task's repository where it has one, and leave it as is safe."""
        if not self.task.get("repo"):
            return self._worked(None, [(NO_REPOSITORY, "")])
        from cortex_git.runners.agent.checkout import Checkout

        checkout = Checkout.open(self.task, self.context)
        if checkout.note:
            self.record.note(checkout.note)
        try:
            return self._in(checkout)
        finally:
            checkout.leave()

    def _in(self, checkout: "Checkout") -> Ending:
        material = diff_of(checkout) if self.task.get("type") == "pr-worker" else []
        if not self._changes:
            return self._worked(checkout.folder, material)
        try:
            ending = self._worked(checkout.folder, material)
        except BaseException:  # out of time, most likely: what was done is worth a last quick push
            with suppress(CortexError):
                self._publish(checkout, None)
            raise
        try:
            self._publish(checkout, ending)
        except CortexError as error:
            why = f"the work could not be pushed and stays in its work tree: {error}"
            return Ending("failed", ending.answer, why, retry=False)
        return ending

    @property
    def _changes(self) -> bool:
        return form_of(str(self.task.get("type"))) is Change

    def _publish(self, checkout: "Checkout", ending: Ending | None) -> None:
        """Commit and push what changed, under the model's subject or else the task's title."""
        answer = ending.answer if ending is not None else None
        subject = answer.subject if isinstance(answer, Change) else ""
        title = " ".join((subject or str(self.task.get("title") or self.task["task"])).split())[:100]
        if ending is None or ending.status != "completed":
            title = f"Unfinished: {title}"
        try:
            published = checkout.publish(f"{title}\n\nTask: {self.task['task']}")
        except CortexError:
            # Another attempt on this host can go on from a commit that the remote did not take.
            self.record.resume.update(branch=checkout.branch, commit=checkout.commit)
            raise
        if published is not None:
            self.record.published(published.branch, published.commit, published.diffstat)

    def _worked(self, folder: Path | None, material: list[Material]) -> Ending:
        kind = str(self.task.get("type"))
        if kind == "scan-worker":
            material = [*material, triage(self.task, self.context, self.record)]
        form, marks = form_of(kind), Marks()
        tools = self._tools(folder) if folder is not None else None
        first = first_message(
            self.task,
            marks,
            tokens=self.meter.left,
            minutes=self.context.deadline_s / 60,
            material=[*material, *continued(self.context.earlier)],
        )
        definitions = [*(tools.definitions if tools is not None else []), definition(form)]
        settings = self.host.agents
        return Turns(
            Conversation(self.model, system_prompt(kind), definitions, first),
            Caller(self.client, self.meter, settings.max_output, self.deadline, insist=form is not Change),
            tools,
            form,
            marks,
            self.record,
            settings.turns,
        ).work()

    def _tools(self, folder: Path) -> Toolbox:
        keys = (self.host.claude.key_file, self.host.openai.key_file)
        private = [Path(key).expanduser() for key in keys if key]
        own = private_folder(Path(self.context.folder))
        return Toolbox(
            folder,
            self.host.agents,
            read_only=not self._changes,
            time_left=lambda: self.deadline - monotonic(),
            private=(*private, own) if own is not None else tuple(private),
        )


def _shared(folder: str) -> Settings:
    """The settings of the coordination repository that the attempt belongs to."""
    path = Path(folder) / CONFIG
    return load_settings(path.read_bytes(), str(path))


def _models(provider: str, host: HostSettings, shared: Settings) -> Models:
    return host.openai.models if provider == "openai" else shared.models
