package sandbox

// bounded is a map that forgets its oldest entry when it is full.
type bounded[K comparable, V any] struct {
	size  int
	at    map[K]V
	order []K
	first int // of order, the oldest entry once it is full
}

func newBounded[K comparable, V any](size int) *bounded[K, V] {
	return &bounded[K, V]{size: size, at: map[K]V{}}
}

func (b *bounded[K, V]) get(k K) (V, bool) {
	v, ok := b.at[k]
	return v, ok
}

func (b *bounded[K, V]) put(k K, v V) {
	if _, ok := b.at[k]; ok {
		b.at[k] = v
		return
	}
	if len(b.order) < b.size {
		b.order = append(b.order, k)
	} else {
		delete(b.at, b.order[b.first])
		b.order[b.first] = k
		b.first = (b.first + 1) % b.size
	}
	b.at[k] = v
}
