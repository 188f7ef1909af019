-- +goose Up

-- The code of the pause that the subscription has been told of; '' while its watch is not paused.
ALTER TABLE subscriptions ADD COLUMN told TEXT NOT NULL DEFAULT '';

UPDATE subscriptions SET told = coalesce((
    SELECT json_extract(failure, '$.code') FROM watches WHERE watches.id = subscriptions.watch_id AND watches.state = 'paused'), '');
