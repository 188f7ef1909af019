package background

import (
	"maps"
	"slices"
	"sync"
)

// Named are jobs of which each has an id, so that whoever looks for the next one can leave out
// those under way. The zero value is ready.
type Named struct {
	Jobs
	mu  sync.Mutex
	ids map[string]bool
}

// Begin runs job in the background, and reports whether it does: not once Drain was called. The id
// is under way until job returns; then afterwards runs, which sees that there is room again.
func (n *Named) Begin(id string, job, afterwards func()) bool {
	n.mu.Lock() // until the id is there: the job may be over at once
	defer n.mu.Unlock()
	begun := n.Jobs.Begin(func() {
		job()
		n.mu.Lock()
		delete(n.ids, id)
		n.mu.Unlock()
		afterwards()
	})
	if !begun {
		return false
	}
	if n.ids == nil {
		n.ids = map[string]bool{}
	}
	n.ids[id] = true
	return true
}

// IDs returns what is under way, in no order.
func (n *Named) IDs() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.AppendSeq(make([]string, 0, len(n.ids)), maps.Keys(n.ids))
}
