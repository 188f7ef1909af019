package triggers

import (
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"time"

	"github.com/robfig/cron/v3"
)

// A schedule is walked on two clocks. The cron library walks the wall clock: a calendar without
// jumps, carried in a time.Time whose zone is UTC and means nothing. Two functions lead from real
// time to the wall clock and back. reached is the furthest that a zone's clock has shown up to an
// instant; arrival is the first instant at which it shows a wall time or a later one. Both only
// grow, and one undoes the other, so a run is the arrival of the first wall time beyond what has
// been reached. A skipped time arrives with the jump over it, a repeated one arrived the first
// time, and no two runs share an instant: that is the whole rule for clocks that jump.

// Offsets from UTC have stayed within 16 hours to either side, the local mean times of Manila and
// Juneau before the date line moved. A clock of two days ago is therefore behind today's, and a
// wall time is shown, if at all, within a day of the same reading in UTC.
const (
	day      = 24 * time.Hour
	lookBack = 2 * day
)

// rhythm is a schedule as one watch runs it.
type rhythm struct {
	every, anchor int64 // seconds; 0 without @every
	fields        cron.SpecSchedule
	zone          *time.Location
}

// rhythm spreads the schedule for a watch. The places are part of the contract with users, who
// see at what minute their watch runs: they may never change.
func (s Schedule) rhythm(watchID string) rhythm {
	r := rhythm{every: s.every, fields: s.fields, zone: s.zone}
	switch {
	case s.every > 0:
		r.anchor = spread(watchID, s.every)
	case s.expression == "@hourly":
		second := spread(watchID, 60*60)
		r.fields.Minute, r.fields.Second = 1<<(second/60), 1<<(second%60)
	case s.expression == "@daily":
		r.minuteOfDay(spread(watchID, 24*60))
	case s.expression == "@weekly":
		minute := spread(watchID, 7*24*60)
		r.fields.Dow = 1 << (minute / (24 * 60))
		r.minuteOfDay(minute % (24 * 60))
	case s.expression == "@monthly":
		minute := spread(watchID, 28*24*60) // every month has 28 days
		r.fields.Dom = 1 << (1 + minute/(24*60))
		r.minuteOfDay(minute % (24 * 60))
	}
	return r
}

func (r *rhythm) minuteOfDay(minute int64) {
	r.fields.Hour, r.fields.Minute = 1<<(minute/60), 1<<(minute%60)
}

// spread places a watch in [0, over): the first eight bytes, big-endian, of the SHA-256 of a fixed
// prefix and its id, modulo over.
func spread(watchID string, over int64) int64 {
	sum := sha256.Sum256([]byte("soke-connector/schedule/v1/" + watchID))
	return int64(binary.BigEndian.Uint64(sum[:8]) % uint64(over))
}

// next returns the first run after an instant.
func (r rhythm) next(after time.Time) time.Time {
	if r.every > 0 {
		return time.Unix(r.anchor+(r.ticks(after)+1)*r.every, 0).UTC()
	}
	after = after.Round(0) // the monotonic reading is of no calendar
	return arrival(nextWall(r.fields, reached(after, r.zone)), r.zone)
}

// ticks counts the intervals of @every from the anchor, just after the epoch, to an instant. The
// count needs no memory of earlier runs, so that the schedule neither drifts nor restarts.
func (r rhythm) ticks(at time.Time) int64 {
	seconds := at.Unix() - r.anchor
	n := seconds / r.every
	if seconds%r.every < 0 {
		n--
	}
	return n
}

// nextWall returns the first wall time after another that the fields match. The library gives up
// after five years, and between two leap days there can be eight.
func nextWall(fields cron.SpecSchedule, after time.Time) time.Time {
	for {
		if next := fields.Next(after); !next.IsZero() {
			return next
		}
		after = after.AddDate(5, 0, 0)
	}
}

// closest returns the two wall times closest to each other at which the fields match, of those on
// the days of the year after from. It walks one day's times and a year's days, not the year's
// times: on each day that the fields match, the times are the same.
func closest(fields cron.SpecSchedule, from time.Time) (earlier, later time.Time) {
	midnight := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	consider := func(a, b time.Time) {
		if earlier.IsZero() || b.Sub(a) < later.Sub(earlier) {
			earlier, later = a, b
		}
	}
	first := nextWall(fields, midnight.Add(-1))
	last := first
	for at := nextWall(fields, last); at.YearDay() == first.YearDay() && at.Year() == first.Year(); at = nextWall(fields, at) {
		consider(last, at)
		last = at
	}
	length := last.Sub(first)
	for end := midnight.AddDate(1, 0, 0); ; {
		following := nextWall(fields, first.Truncate(day).Add(day-1))
		consider(first.Add(length), following)
		if first = following; !first.Before(end) {
			return earlier, later
		}
	}
}

// reached returns the latest wall time that a zone's clock has shown up to an instant.
func reached(until time.Time, zone *time.Location) time.Time {
	var furthest time.Time
	for s := range stretches(until.Add(-lookBack), until, zone) {
		if shown := s.last.Add(s.offset); shown.After(furthest) {
			furthest = shown
		}
	}
	return furthest.UTC()
}

// arrival returns the first instant at which a zone's clock shows a wall time or a later one.
func arrival(wall time.Time, zone *time.Location) time.Time {
	var earliest time.Time
	for s := range stretches(wall.Add(-day), wall.Add(day), zone) {
		at := wall.Add(-s.offset)
		if at.Before(s.first) {
			at = s.first
		}
		if !at.After(s.last) {
			earliest = at
		}
	}
	return earliest.UTC()
}

// stretch is a time in which a zone keeps one offset from UTC; both ends belong to it.
type stretch struct {
	first, last time.Time
	offset      time.Duration
}

// stretches yields, the latest first, the stretches of a zone that meet [from, until]. The last
// one is cut at until, the first is not cut. It never asks for the end of a stretch: where the
// zone's rule goes on for ever, Go ends a stretch early, on the 365th day of a leap year.
func stretches(from, until time.Time, zone *time.Location) iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		for {
			local := until.In(zone)
			_, seconds := local.Zone()
			first, _ := local.ZoneBounds()
			if !yield(stretch{first, until, time.Duration(seconds) * time.Second}) || first.IsZero() || !first.After(from) {
				return
			}
			until = first.Add(-1)
		}
	}
}
