// Package triggers declares what users can be told about, one file a trigger, and the words of
// the research behind them.
//
// A watch is one research that the connector repeats on a schedule. A feed is what one trigger,
// with its own parameters, reports of a watch. A run is one repetition: it compares what Soke
// answers with what the watch knows and writes, in one transaction, the events of every feed. A
// subscription pushes a feed's events to a target; each push is a delivery, each try an attempt.
package triggers
