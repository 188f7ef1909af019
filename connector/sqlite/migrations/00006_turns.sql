-- +goose Up

-- The earliest next_attempt_at of a connection's subscriptions: what the outbox takes turns by, so
-- that no connection's queue hides another's single delivery. Kept by the triggers below.
ALTER TABLE connections ADD COLUMN next_attempt_at INTEGER;

-- Counts subscribe calls, so that an attempt that began before the latest of them is known.
ALTER TABLE subscriptions ADD COLUMN generation INTEGER NOT NULL DEFAULT 0;

-- What the clock said when next_attempt_at was computed. What was there before is taken to have been
-- put off for 25 hours, the longest wait.
ALTER TABLE subscriptions ADD COLUMN dated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE callbacks ADD COLUMN dated_at INTEGER NOT NULL DEFAULT 0;
UPDATE subscriptions SET dated_at = next_attempt_at - 90000000 WHERE next_attempt_at IS NOT NULL;
UPDATE callbacks SET dated_at = next_attempt_at - 90000000 WHERE next_attempt_at IS NOT NULL;
CREATE INDEX subscriptions_by_dating ON subscriptions (dated_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX callbacks_by_dating ON callbacks (dated_at) WHERE next_attempt_at IS NOT NULL;

CREATE INDEX connections_by_attempt ON connections (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX subscriptions_by_turn ON subscriptions (connection_id, next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX subscriptions_testing ON subscriptions (connection_id, test_until) WHERE test_until IS NOT NULL AND state != 'ended';

UPDATE connections SET next_attempt_at = (
    SELECT next_attempt_at FROM subscriptions WHERE connection_id = connections.id AND next_attempt_at IS NOT NULL
    ORDER BY next_attempt_at LIMIT 1);

-- +goose StatementBegin
CREATE TRIGGER subscriptions_turn_inserted AFTER INSERT ON subscriptions WHEN NEW.next_attempt_at IS NOT NULL BEGIN
    UPDATE connections SET next_attempt_at = NEW.next_attempt_at
    WHERE id = NEW.connection_id AND (next_attempt_at IS NULL OR next_attempt_at > NEW.next_attempt_at);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER subscriptions_turn_changed AFTER UPDATE OF next_attempt_at ON subscriptions WHEN OLD.next_attempt_at IS NOT NEW.next_attempt_at BEGIN
    UPDATE connections SET next_attempt_at = (
        SELECT next_attempt_at FROM subscriptions WHERE connection_id = NEW.connection_id AND next_attempt_at IS NOT NULL
        ORDER BY next_attempt_at LIMIT 1)
    WHERE id = NEW.connection_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER subscriptions_turn_moved AFTER UPDATE OF connection_id ON subscriptions BEGIN
    UPDATE connections SET next_attempt_at = (
        SELECT next_attempt_at FROM subscriptions WHERE connection_id = connections.id AND next_attempt_at IS NOT NULL
        ORDER BY next_attempt_at LIMIT 1)
    WHERE id IN (OLD.connection_id, NEW.connection_id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER subscriptions_turn_deleted AFTER DELETE ON subscriptions WHEN OLD.next_attempt_at IS NOT NULL BEGIN
    UPDATE connections SET next_attempt_at = (
        SELECT next_attempt_at FROM subscriptions WHERE connection_id = OLD.connection_id AND next_attempt_at IS NOT NULL
        ORDER BY next_attempt_at LIMIT 1)
    WHERE id = OLD.connection_id;
END;
-- +goose StatementEnd
