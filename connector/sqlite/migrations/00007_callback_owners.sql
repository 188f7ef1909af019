-- +goose Up

-- A keyed hash of the credential, so that each has its share of the work and of the room.
ALTER TABLE callbacks ADD COLUMN owner BLOB NOT NULL DEFAULT x'';

CREATE INDEX callbacks_by_owner ON callbacks (owner) WHERE state IN ('accepted', 'calling');

-- What is done is deleted from now on.
DELETE FROM callbacks WHERE state = 'done';
