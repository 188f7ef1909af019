package scheduler

// places are how many runs may be under way because somebody waits for them.
type places struct {
	free  int
	taken map[string]int // by connection
}

func newPlaces(all int) places { return places{free: all, taken: map[string]int{}} }

// take takes a place for a connection, if there is one and the connection has not had its share.
func (p *places) take(connectionID string) bool {
	if p.free == 0 || p.taken[connectionID] == perConnection {
		return false
	}
	p.free--
	p.taken[connectionID]++
	return true
}

// leave gives a connection's place back.
func (p *places) leave(connectionID string) {
	p.free++
	if p.taken[connectionID]--; p.taken[connectionID] == 0 {
		delete(p.taken, connectionID)
	}
}
