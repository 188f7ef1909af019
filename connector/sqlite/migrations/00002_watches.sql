-- +goose Up

-- Times are Unix milliseconds everywhere.

-- A connection is a Soke key. It keeps its id when the key is rotated; the key is found by a keyed
-- hash. For a while after a rotation deliveries are signed with the previous key, too.
CREATE TABLE connections (
    id             TEXT    NOT NULL PRIMARY KEY,
    key_hash       BLOB    NOT NULL UNIQUE CHECK (length(key_hash) = 32),
    key            BLOB    NOT NULL, -- sealed
    previous_key   BLOB,             -- sealed
    previous_until INTEGER,
    created_at     INTEGER NOT NULL,
    -- The earliest next_run_at of its watches: what the scheduler takes turns by, so that no
    -- connection's backlog hides another's single watch. Kept by the triggers below.
    next_due_at    INTEGER
) STRICT;

-- The ids of connections that a rotation has made part of another one. Their watches have ids made
-- of them, so that they are not given again.
CREATE TABLE absorbed (
    id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE INDEX connections_by_due ON connections (next_due_at) WHERE next_due_at IS NOT NULL;

CREATE TABLE watches (
    id            TEXT    NOT NULL PRIMARY KEY,
    connection_id TEXT    NOT NULL REFERENCES connections (id),
    account_id    TEXT    NOT NULL,
    research      TEXT    NOT NULL,
    schedule      TEXT    NOT NULL,
    timezone      TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'asleep')),
    failure       TEXT,    -- why it is paused, or why its latest run failed
    due_at        INTEGER, -- the due time that the next run stands for
    next_run_at   INTEGER, -- when the scheduler looks at it next; the lease's end while claimed
    dated_at      INTEGER NOT NULL DEFAULT 0, -- what the clock said when next_run_at was computed
    lease         INTEGER NOT NULL DEFAULT 0, -- counts claims, so that a claim that is over is known
    claimed       INTEGER NOT NULL DEFAULT 0 CHECK (claimed IN (0, 1)),
    attempts      INTEGER NOT NULL DEFAULT 0,
    runs          INTEGER NOT NULL DEFAULT 0,
    feeds         INTEGER NOT NULL DEFAULT 0, -- how many feeds there are
    last_run_at   INTEGER,
    polled_at     INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    UNIQUE (connection_id, account_id, research, schedule, timezone),
    -- Every watch that is enabled has a due time or is claimed.
    CHECK (state = 'asleep' OR next_run_at IS NOT NULL)
) STRICT;

CREATE INDEX watches_by_due ON watches (connection_id, next_run_at) WHERE next_run_at IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER watches_due_inserted AFTER INSERT ON watches BEGIN
    UPDATE connections SET next_due_at = NEW.next_run_at
    WHERE id = NEW.connection_id AND NEW.next_run_at IS NOT NULL
      AND (next_due_at IS NULL OR next_due_at > NEW.next_run_at);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER watches_due_changed AFTER UPDATE OF next_run_at ON watches WHEN OLD.next_run_at IS NOT NEW.next_run_at BEGIN
    UPDATE connections SET next_due_at = (
        SELECT next_run_at FROM watches WHERE connection_id = NEW.connection_id AND next_run_at IS NOT NULL
        ORDER BY next_run_at LIMIT 1)
    WHERE id = NEW.connection_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER watches_due_moved AFTER UPDATE OF connection_id ON watches BEGIN
    UPDATE connections SET next_due_at = (
        SELECT next_run_at FROM watches WHERE connection_id = connections.id AND next_run_at IS NOT NULL
        ORDER BY next_run_at LIMIT 1)
    WHERE id IN (OLD.connection_id, NEW.connection_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER watches_due_deleted AFTER DELETE ON watches BEGIN
    UPDATE connections SET next_due_at = (
        SELECT next_run_at FROM watches WHERE connection_id = OLD.connection_id AND next_run_at IS NOT NULL
        ORDER BY next_run_at LIMIT 1)
    WHERE id = OLD.connection_id;
END;
-- +goose StatementEnd

-- What a watch's latest run found: the baseline of feeds that are opened later.
CREATE TABLE results (
    watch_id TEXT    NOT NULL PRIMARY KEY REFERENCES watches (id) ON DELETE CASCADE,
    run_id   TEXT    NOT NULL,
    due_at   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    keywords TEXT    NOT NULL
) STRICT;

-- What a watch knows of each keyword it has ever seen, by the keyword's folded form.
CREATE TABLE known (
    watch_id TEXT NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    fold     TEXT NOT NULL,
    keyword  TEXT NOT NULL,
    score    REAL,
    trend    TEXT NOT NULL,
    PRIMARY KEY (watch_id, fold)
) STRICT, WITHOUT ROWID;

-- A feed is what a trigger with its parameters reports of a watch.
CREATE TABLE feeds (
    id         TEXT    NOT NULL PRIMARY KEY,
    watch_id   TEXT    NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    trigger    TEXT    NOT NULL,
    parameters TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (watch_id, trigger, parameters)
) STRICT;

-- The score of a keyword that a feed compares with.
CREATE TABLE marks (
    feed_id TEXT NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    fold    TEXT NOT NULL,
    score   REAL NOT NULL,
    PRIMARY KEY (feed_id, fold)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT    NOT NULL UNIQUE,
    feed_id     TEXT    NOT NULL REFERENCES feeds (id) ON DELETE CASCADE,
    occurred_at INTEGER NOT NULL,
    baseline    INTEGER NOT NULL CHECK (baseline IN (0, 1)),
    body        TEXT    NOT NULL
) STRICT;

CREATE INDEX events_by_feed ON events (feed_id, seq);

CREATE TABLE runs (
    id         TEXT    NOT NULL PRIMARY KEY,
    watch_id   TEXT    NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    due_at     INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    keywords   INTEGER NOT NULL,
    events     INTEGER NOT NULL,
    request_id TEXT    NOT NULL
) STRICT;

CREATE INDEX runs_by_watch ON runs (watch_id, due_at);
CREATE INDEX runs_by_age ON runs (at);

-- How each due time ended. A row with a count stands for so many due times from due_at on.
CREATE TABLE occurrences (
    watch_id TEXT    NOT NULL REFERENCES watches (id) ON DELETE CASCADE,
    due_at   INTEGER NOT NULL,
    outcome  TEXT    NOT NULL CHECK (outcome IN ('ran', 'late', 'coalesced', 'skipped', 'failed')),
    reason   TEXT    NOT NULL,
    count    INTEGER NOT NULL CHECK (count > 0),
    at       INTEGER NOT NULL,
    PRIMARY KEY (watch_id, due_at, outcome)
) STRICT, WITHOUT ROWID;

CREATE INDEX occurrences_by_age ON occurrences (at);

CREATE TABLE subscriptions (
    id              TEXT    NOT NULL PRIMARY KEY,
    connection_id   TEXT    NOT NULL REFERENCES connections (id),
    platform        TEXT    NOT NULL,
    watch_id        TEXT    NOT NULL, -- a test subscription's need not exist
    feed_id         TEXT    NOT NULL,
    trigger         TEXT    NOT NULL,
    target          BLOB    NOT NULL, -- sealed: whoever holds it can post to it
    target_hash     BLOB    NOT NULL CHECK (length(target_hash) = 32),
    host            TEXT    NOT NULL,
    token           BLOB    NOT NULL, -- sealed
    state           TEXT    NOT NULL CHECK (state IN ('active', 'paused', 'ended')),
    reason          TEXT    NOT NULL DEFAULT '',
    test_until      INTEGER, -- the end of a test subscription
    next_attempt_at INTEGER,
    created_at      INTEGER NOT NULL,
    ended_at        INTEGER,
    last_at         INTEGER,
    last_status     INTEGER,
    last_attempts   INTEGER,
    UNIQUE (connection_id, platform, target_hash)
) STRICT;

CREATE INDEX subscriptions_by_feed ON subscriptions (feed_id) WHERE state != 'ended';
CREATE INDEX subscriptions_by_watch ON subscriptions (watch_id) WHERE state != 'ended';
CREATE INDEX subscriptions_by_due ON subscriptions (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

-- The outbox. A delivery of events names them by the first and last of them; one of another kind, or
-- of a feed that is no more, has a body of its own.
CREATE TABLE deliveries (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    subscription_id TEXT    NOT NULL REFERENCES subscriptions (id) ON DELETE CASCADE,
    kind            TEXT    NOT NULL CHECK (kind IN ('events', 'paused', 'test')),
    watch_id        TEXT    NOT NULL,
    run_id          TEXT    NOT NULL,
    feed_id         TEXT    NOT NULL,
    first_event     INTEGER,
    last_event      INTEGER,
    body            TEXT,
    state           TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'dropped')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    failing_since   INTEGER,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX deliveries_pending ON deliveries (subscription_id, seq) WHERE state = 'pending';
CREATE INDEX deliveries_by_subscription ON deliveries (subscription_id, seq);
CREATE INDEX deliveries_by_age ON deliveries (created_at) WHERE state != 'pending';

CREATE TABLE attempts (
    delivery_id TEXT    NOT NULL REFERENCES deliveries (id) ON DELETE CASCADE,
    number      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    duration    INTEGER NOT NULL, -- milliseconds
    outcome     TEXT    NOT NULL,
    PRIMARY KEY (delivery_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_by_age ON attempts (at);
