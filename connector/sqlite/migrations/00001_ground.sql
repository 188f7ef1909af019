-- +goose Up

-- What the connector keeps to itself. Everything called sealed, here and in later tables, is a
-- ciphertext bound to its place: see sealed.go.
CREATE TABLE secrets (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT;

-- Answers of paid calls. Times are Unix milliseconds.
CREATE TABLE answers (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 32),
    sealed     BLOB    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX answers_by_expiry ON answers (expires_at);

-- One row, written by readiness probes to prove that a write becomes durable. It counts, because
-- SQLite writes nothing for a value that does not change.
CREATE TABLE heartbeat (
    only  INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    beats INTEGER NOT NULL
) STRICT;

INSERT INTO heartbeat (only, beats) VALUES (1, 0);
