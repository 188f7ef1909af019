-- +goose Up

-- What Prune looks for every minute must not take a look at every row.
CREATE INDEX watches_asleep ON watches (polled_at) WHERE state = 'asleep';
CREATE INDEX subscriptions_ended ON subscriptions (ended_at) WHERE state = 'ended';
CREATE INDEX subscriptions_for_test ON subscriptions (test_until) WHERE test_until IS NOT NULL AND state != 'ended';
CREATE INDEX connections_idle ON connections (created_at) WHERE next_due_at IS NULL;
