-- +goose Up

-- The code of the pause that the subscription has been told of; '' while its watch is not paused.
ALTER TABLE subscriptions ADD COLUMN told TEXT NOT NULL DEFAULT '';

UPDATE subscriptions SET told = coalesce((
    SELECT json_extract(failure, '$.code') FROM watches WHERE watches.id = subscriptions.watch_id AND watches.state = 'paused'), '');

-- A key that signs no longer is forgotten.
CREATE INDEX connections_rotated ON connections (previous_until) WHERE previous_until IS NOT NULL;

-- How many feeds there are is counted where it is asked for: a count that went wrong would let no run
-- of its watch be kept.
ALTER TABLE watches DROP COLUMN feeds;

-- A rotation moves subscriptions that have ended, too.
DROP INDEX subscriptions_by_watch;
CREATE INDEX subscriptions_by_watch ON subscriptions (watch_id);
