"""What this host's SQLite file keeps beside its index, so that no question has to go through all of it.

Owns the tables of open tasks, of results not read yet and of totals, and the triggers that keep them: whoever
enters a task, what it waits for, a result or an outcome keeps them too, in the same transaction.
"""

AGE_LEVELS_PER_DAY = 48
"""A waiting task gains one priority level each half hour, so that nothing starves."""

_SINCE = """
    CASE WHEN julianday(NEW.created_at) <= julianday('now') + 1
    THEN min(julianday(NEW.created_at), julianday('now')) ELSE 0 END"""
"""From when a task's age counts, in days. Without a date, or with one of the future that no honest clock
shows, an age would never grow: such a task counts as the oldest there is."""
_UNMET = """
    (SELECT count(*) FROM waits w WHERE w.task = NEW.task
     AND NOT EXISTS (SELECT 1 FROM results r WHERE r.task = w.needs))"""

TABLES = f"""
-- Tasks without a result. `due` puts them in the order in which they should be claimed, whatever the time is:
-- every task's age grows alike. `unmet` is how many of those that it comes after have no result.
DROP TABLE IF EXISTS open_tasks;
CREATE TABLE open_tasks (
    task TEXT PRIMARY KEY, batch TEXT NOT NULL, type TEXT NOT NULL, rank INTEGER NOT NULL,
    created_at TEXT NOT NULL, since REAL NOT NULL, due REAL NOT NULL, unmet INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX open_due ON open_tasks (due, created_at, task) WHERE unmet = 0;
CREATE INDEX open_batch ON open_tasks (batch, due, created_at, task) WHERE unmet = 0;
CREATE INDEX open_of_batch ON open_tasks (batch);
CREATE INDEX open_kinds ON open_tasks (rank, type);
CREATE INDEX open_waiting ON open_tasks (task) WHERE unmet > 0;

-- Results whose documents have not been read.
DROP TABLE IF EXISTS unread;
CREATE TABLE unread (task TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO unread SELECT task FROM results;
DROP TABLE IF EXISTS totals;
CREATE TABLE totals (
    status TEXT NOT NULL, host TEXT NOT NULL, results INTEGER NOT NULL, tokens INTEGER NOT NULL,
    PRIMARY KEY (status, host)
) WITHOUT ROWID;

DROP TRIGGER IF EXISTS task_entered;
CREATE TRIGGER task_entered AFTER INSERT ON tasks BEGIN
    DELETE FROM open_tasks WHERE task = NEW.task;
    INSERT INTO open_tasks SELECT NEW.task, NEW.batch, NEW.type, NEW.rank, NEW.created_at, {_SINCE},
        NEW.rank + {AGE_LEVELS_PER_DAY} * ({_SINCE}), {_UNMET}
        WHERE NOT EXISTS (SELECT 1 FROM results WHERE task = NEW.task);
END;
DROP TRIGGER IF EXISTS task_dropped;
CREATE TRIGGER task_dropped AFTER DELETE ON tasks BEGIN
    DELETE FROM open_tasks WHERE task = OLD.task;
END;
DROP TRIGGER IF EXISTS result_entered;
CREATE TRIGGER result_entered AFTER INSERT ON results BEGIN
    DELETE FROM open_tasks WHERE task = NEW.task;
    UPDATE open_tasks SET unmet = unmet - 1 WHERE task IN (SELECT task FROM waits WHERE needs = NEW.task);
    INSERT OR IGNORE INTO unread VALUES (NEW.task);
END;
DROP TRIGGER IF EXISTS wait_entered;
CREATE TRIGGER wait_entered AFTER INSERT ON waits BEGIN
    UPDATE open_tasks SET unmet = unmet + 1 WHERE task = NEW.task
        AND NOT EXISTS (SELECT 1 FROM results WHERE task = NEW.needs);
END;
DROP TRIGGER IF EXISTS wait_dropped;
CREATE TRIGGER wait_dropped AFTER DELETE ON waits BEGIN
    UPDATE open_tasks SET unmet = unmet - 1 WHERE task = OLD.task
        AND NOT EXISTS (SELECT 1 FROM results WHERE task = OLD.needs);
END;
DROP TRIGGER IF EXISTS outcome_entered;
CREATE TRIGGER outcome_entered AFTER INSERT ON outcomes BEGIN
    INSERT INTO totals VALUES (NEW.status, NEW.host, 1, NEW.tokens_used)
        ON CONFLICT DO UPDATE SET results = results + 1, tokens = tokens + NEW.tokens_used;
    DELETE FROM unread WHERE task = NEW.task;
END;
DROP TRIGGER IF EXISTS outcome_dropped;
CREATE TRIGGER outcome_dropped AFTER DELETE ON outcomes BEGIN
    UPDATE totals SET results = results - 1, tokens = tokens - OLD.tokens_used
        WHERE status = OLD.status AND host = OLD.host;
    INSERT OR IGNORE INTO unread SELECT task FROM results WHERE task = OLD.task;
END;
"""  # noqa: S608 - constants
