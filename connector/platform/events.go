package platform

import "encoding/json"

// Page is what a poll answers with.
type Page struct {
	// Events are oldest first.
	Events []json.RawMessage
	// Cursor asks for what comes after.
	Cursor  string
	HasMore bool
}

// Paging says by what a platform's polls ask for what is new. One that has neither keeps its own
// memory of what it has seen and always gets the newest events.
type Paging struct{ Cursor, Since bool }

// PagedList is a page as it is, for platforms that keep a cursor.
type PagedList struct {
	Events  []json.RawMessage `json:"events" title:"Events"`
	Cursor  string            `json:"cursor" title:"Cursor" help:"Send it with the next poll to get what comes after."`
	HasMore bool              `json:"hasMore" title:"Has more"`
}

// Paged returns a page as an object with a cursor.
func (p Page) Paged() any {
	return PagedList{Events: append([]json.RawMessage{}, p.Events...), Cursor: p.Cursor, HasMore: p.HasMore}
}

// NewestFirst returns a page as a bare array.
func (p Page) NewestFirst() any {
	list := make([]json.RawMessage, 0, len(p.Events))
	for i := len(p.Events) - 1; i >= 0; i-- {
		list = append(list, p.Events[i])
	}
	return list
}
