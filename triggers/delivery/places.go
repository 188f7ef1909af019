package delivery

import "sync"

// places counts the attempts that each connection has under way, so that one whose receivers are
// slow leaves workers to the others.
type places struct {
	each int // how many a connection may have

	mu    sync.Mutex
	taken map[string]int // by connection
}

func newPlaces(each int) *places { return &places{each: each, taken: map[string]int{}} }

// take takes a place for one attempt, if the connection has one left.
func (p *places) take(connection string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[connection] >= p.each {
		return false
	}
	p.taken[connection]++
	return true
}

// leave gives a place back.
func (p *places) leave(connection string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[connection]--; p.taken[connection] <= 0 {
		delete(p.taken, connection)
	}
}

// full returns the connections that have no place left.
func (p *places) full() (connections []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, n := range p.taken {
		if n >= p.each {
			connections = append(connections, id)
		}
	}
	return connections
}
