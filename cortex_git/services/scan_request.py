"""What a scan command asks for, and what it is answered with: the advisories, and what workers are told.

Owns which requests contradict themselves, and the choice of the database. Runs nothing.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from cortex_git.config import cache_folder, data_folder
from cortex_git.errors import BadInput, EnvironmentProblem
from cortex_git.models import valid_name
from cortex_git.scan.records import NotScanned
from cortex_git.scan.sources import Credentials, HostToken, Source
from cortex_git.services import resuming
from cortex_git.services.scan_sources import PER_HOST, credentials_for
from cortex_git.services.unchanged import Since

if TYPE_CHECKING:
    from cortex_git.scan.others.programs import Chosen

_WITH_OTHERS_S = 600.0
"""One repository's time where other scanners look at it, too: some download a database first."""
STALE_DAYS = 7
"""An import that is older than this is noted."""


@dataclass(frozen=True, slots=True)
class ScanRequest:
    """What a scan command asks for."""

    sources: Sequence[Source] = ()
    workers: int = 20
    mode: Literal["parallel", "sequential"] = "parallel"
    sample: bool = False
    batch: str | None = None
    resume: str | None = None
    askpass: str | None = None
    helper: str | None = None
    changed_since: Since | None = None
    """Which earlier batches' rows may be taken over, where that was said."""
    rescan: bool = False
    """Take over none."""
    tokens: Sequence[HostToken] = ()
    """What git may answer hosts with."""
    per_host: int = PER_HOST
    """Fetches from one host at once on this machine."""
    scanners: "Sequence[Chosen]" = ()
    """Other scanners to ask, too."""
    secrets: bool = False
    """Look for keys and passwords in all files, too."""
    not_looked_into: Sequence[NotScanned] = field(default=())
    """Folders that could not be searched for repositories, and listings that are not whole."""
    notes: Sequence[str] = ()
    """What else a person should know of how the repositories were found; it is no gap."""

    @property
    def credentials(self) -> Credentials:
        """What answers git's questions for passwords: the request's programs, else this host's."""
        return credentials_for(self.askpass, self.helper, self.tokens)

    @property
    def since(self) -> Since | None:
        """From which batches rows are taken over, by default the newest ones; None where all is scanned.

        A sample is there to see a scan, and what other scanners say changes unseen.
        """
        if self.rescan or self.scanners or (self.sample and self.changed_since is None):
            return None
        return self.changed_since or Since()


@dataclass(frozen=True, slots=True)
class Database:
    """The advisories a scan uses: `option` is what the workers are given."""

    option: str
    line: str
    starter: bool
    identity: str = ""
    age_days: int = 0
    """Since the import."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of its age: an update that fails each night must not go unseen."""
        if self.starter or self.age_days <= STALE_DAYS:
            return ()
        aged = f"the advisories were imported {self.age_days} days ago: newer ones are not known"
        return (f"{aged}; run `cortex-git advisories update`",)


def choose_database(sample: bool) -> Database:
    """The imported database, or the starter set where there is none; a sample always uses the latter."""
    from cortex_git.scan.advisories.database import open_default, open_starter

    found = None if sample else open_default(data_folder())
    if found is not None:
        with found:
            return Database(
                str(found.path),
                found.description(),
                starter=False,
                identity=found.identity,
                age_days=found.age_days,
            )
    with open_starter(cache_folder()) as starter:
        return Database("starter", starter.description(), starter=True, identity=starter.identity)


def options_for(database: Database, request: ScanRequest) -> dict[str, Any]:
    """What the workers of this host are told, none of which is ever shared."""
    credentials = request.credentials
    return {
        "database": database.option,
        "data_dir": str(data_folder()),
        "cache_dir": str(cache_folder()),
        "askpass": credentials.askpass,
        "helper": credentials.helper,
        "tokens": [asdict(token) for token in credentials.tokens],
        "per_host": request.per_host,
        "scanners": [{"name": one.name, "more": list(one.more)} for one in request.scanners],
        "secrets": request.secrets,
        **({"limits": {"time_s": _WITH_OTHERS_S}} if request.scanners else {}),
    }


def refuse_contradictions(request: ScanRequest) -> None:
    """Raises BadInput for what no batch could be made or resumed of, whatever the repository holds.

    EnvironmentProblem where there would be something to scan, had it been possible to look.
    """
    if request.batch == resuming.LAST:
        raise BadInput(
            f"a batch cannot be called {resuming.LAST!r}", "--resume has that word for the newest one"
        )
    if request.resume is not None and request.batch is not None:
        raise BadInput("--resume names the batch already", "leave --batch out")
    if request.scanners and request.changed_since is not None:
        raise BadInput("other scanners' findings change unseen", "leave --changed-since or --scanner out")
    if request.rescan and request.changed_since is not None:
        raise BadInput("--rescan scans all, whatever has changed", "leave --changed-since or --rescan out")
    if request.rescan and request.resume is not None:
        raise BadInput("a resumed batch goes on with what is open", "leave --rescan or --resume out")
    if request.resume is not None and request.changed_since is not None:
        raise BadInput("a resumed batch has its rows already", "leave --changed-since out")
    if request.batch is not None:
        valid_name(request.batch, "batch")
    if not request.sources and request.resume is None:
        if request.not_looked_into:
            first = request.not_looked_into[0]
            raise EnvironmentProblem(f"there is nothing to scan: {first.what}: {first.reason}")
        hint = "name some, or give --repos-file, --root, --github, --gitlab or --sample"
        raise BadInput("no repositories to scan", hint)
