// Package triggers declares what users can be told about, one file a trigger, and the words of
// the research behind them.
//
// A watch is one research that the connector repeats on a schedule. A feed is what one trigger,
// with its own parameters, reports of a watch. A run is one repetition: it compares what Soke
// answers with what the watch knows and writes, in one transaction, the events of every feed. A
// subscription pushes a feed's events to a target; each push is a delivery, each try an attempt.
//
// An occurrence is how one due time of a watch ended: in a run, or why in none. A claim lets one
// holder alone run a watch, until its lease is over. A fold is a keyword as it is compared:
// spellings with the same fold are one keyword. A mark is the score of a keyword that a feed
// compares with. A baseline is what the first run of a watch found, or the latest one before a feed
// was opened: its events are polled, and never pushed.
package triggers
