-- +goose Up

-- Actions whose answers are posted to a callback. sealed holds the call: credential, input and
-- target. answer is what is posted, sealed too.
CREATE TABLE callbacks (
    id              TEXT    NOT NULL PRIMARY KEY,
    platform        TEXT    NOT NULL,
    action          TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    sealed          BLOB    NOT NULL,
    answer          BLOB,
    -- accepted: not yet sent to Soke; calling: on its way; answered: to be posted; done: posted, or
    -- given up.
    state           TEXT    NOT NULL CHECK (state IN ('accepted', 'calling', 'answered', 'done')),
    attempts        INTEGER NOT NULL DEFAULT 0,
    failures        INTEGER NOT NULL DEFAULT 0,
    failing_since   INTEGER,
    next_attempt_at INTEGER,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX callbacks_by_due ON callbacks (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX callbacks_by_age ON callbacks (created_at);
