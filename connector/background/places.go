package background

import "sync"

// Places bound how much is under way, in all and for each owner, so that one whose work is slow leaves
// room to the others.
type Places struct {
	all, each int

	mu    sync.Mutex
	sum   int
	taken map[string]int // by owner
}

// NewPlaces returns so many places in all, of which each owner may take so many.
func NewPlaces(all, each int) *Places { return &Places{all: all, each: each, taken: map[string]int{}} }

// Take takes a place, if there is one and the owner has not had its share.
func (p *Places) Take(owner string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sum >= p.all || p.taken[owner] >= p.each {
		return false
	}
	p.sum++
	p.taken[owner]++
	return true
}

// Leave gives a place of the owner's back.
func (p *Places) Leave(owner string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum--
	if p.taken[owner]--; p.taken[owner] == 0 {
		delete(p.taken, owner)
	}
}

// Full returns the owners that have had their share, in no order.
func (p *Places) Full() (owners []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for owner, n := range p.taken {
		if n >= p.each {
			owners = append(owners, owner)
		}
	}
	return owners
}
