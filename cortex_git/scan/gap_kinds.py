"""The kinds of what was not scanned: short names that reports show and by which people accept single gaps.

A name never changes its meaning. Must never let a kind be accepted that stands for what nobody looked at or
that a scan as a whole lacks.
"""

DIRECT_ONLY = "direct-only"
MAYBE_DIRECT_ONLY = "maybe-direct-only"
NO_LOCKFILE = "no-lockfile"
NOTHING_FOUND = "nothing-found"
NO_COMMIT = "no-commit"
UNREAD_LOCKFILE = "unread-lockfile"
UNREADABLE = "unreadable"
ENTRY = "entry"
NO_VERSION = "no-version"
NOT_FROM_REGISTRY = "not-from-registry"
NO_ADVISORIES = "no-advisories"
NOT_COMPARABLE = "not-comparable"
SUBMODULE = "submodule"
LIMIT = "limit"
FOLDER = "folder"
SECRETS = "secrets"
OTHER_SCANNER = "other-scanner"
FAILED = "failed"
NOT_DONE = "not-done"
NOT_IN_BATCH = "not-in-batch"
LISTING = "listing"
STARTER_SET = "starter-set"
EXPLOITED_LISTS = "exploited-lists"
OTHER = "other"

ACCEPTABLE: dict[str, str] = {
    DIRECT_ONLY: "a file that by its nature lists only what is asked for directly",
    MAYBE_DIRECT_ONLY: "a requirements file that does not show that it lists what its packages bring in",
    NO_LOCKFILE: "a manifest without a lockfile",
    NOTHING_FOUND: "a repository without any lockfile",
    NO_COMMIT: "a repository without a commit",
    UNREAD_LOCKFILE: "a lockfile of a kind that is not read",
    UNREADABLE: "a file that is damaged, a link, or cannot be read",
    ENTRY: "an entry of a lockfile that could not be used",
    NO_VERSION: "an entry without an exact version",
    NOT_FROM_REGISTRY: "an entry that is from git, an address, a file or a private registry",
    NO_ADVISORIES: "packages of an ecosystem without advisories in the database",
    NOT_COMPARABLE: "a version that cannot be compared with an advisory",
    SUBMODULE: "a repository inside the repository",
    LIMIT: "what a cap left out",
    FOLDER: "a folder below `--root` that cannot be looked into",
    SECRETS: "files that were not looked through for secrets",
    OTHER_SCANNER: "what another scanner could not look at",
}
"""Kinds that an ignore file may accept, each with what it is."""
LASTING = frozenset(
    {
        DIRECT_ONLY,
        MAYBE_DIRECT_ONLY,
        NO_LOCKFILE,
        NOTHING_FOUND,
        UNREAD_LOCKFILE,
        ENTRY,
        NO_VERSION,
        NOT_FROM_REGISTRY,
        NO_ADVISORIES,
        NOT_COMPARABLE,
        SUBMODULE,
    }
)
"""Kinds that the same commit, read by the same code with the same advisories, has again."""
NEED_A_PLACE = frozenset({UNREADABLE, LIMIT, FOLDER})
"""Kinds that stand for whole files or folders that nobody read, of which another may come any day: they are
accepted only for a path or a repository."""
NOT_ACCEPTABLE: dict[str, str] = {
    FAILED: "a repository that could not be reached or read: leave it out with `--exclude`",
    NOT_DONE: "repositories of the batch that were not scanned yet",
    NOT_IN_BATCH: "repositories that the resumed batch does not have",
    LISTING: "repositories or branches of a host, list or folder that were not all found, or none at all",
    STARTER_SET: "the starter set used in place of a database",
    EXPLOITED_LISTS: "EPSS or KEV, where they are needed and not there",
    OTHER: "anything else, such as what an older version recorded without a kind",
}
"""The other kinds: only `--allow-incomplete` passes over them."""
