"""The tables of the advisory database.

Owns the layout on disk. A file with another `LAYOUT` is never read: it is built again.
"""

LAYOUT = "2"
"""Change it whenever the tables change, or what import puts into them."""

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE source (
    ecosystem TEXT PRIMARY KEY,
    origin TEXT NOT NULL,
    etag TEXT NOT NULL,
    imported_at TEXT NOT NULL,
    unreadable INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE content (
    ecosystem TEXT PRIMARY KEY,
    records INTEGER NOT NULL,
    newest TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE advisory (
    number INTEGER PRIMARY KEY,
    ecosystem TEXT NOT NULL,
    id TEXT NOT NULL,
    same_as TEXT NOT NULL,
    modified TEXT NOT NULL,
    severity TEXT NOT NULL,
    score REAL,
    basis INTEGER NOT NULL,
    summary TEXT NOT NULL,
    vulnerability INTEGER NOT NULL DEFAULT 0,
    UNIQUE (ecosystem, id)
);
CREATE TABLE affected (
    ecosystem TEXT NOT NULL,
    name TEXT NOT NULL,
    advisory INTEGER NOT NULL,
    intervals TEXT NOT NULL,
    versions TEXT NOT NULL,
    gap TEXT NOT NULL
);
CREATE TABLE vulnerability (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    ids TEXT NOT NULL,
    severity TEXT NOT NULL,
    score REAL
);
"""

INDEX = "CREATE INDEX affected_by_name ON affected (ecosystem, name)"
