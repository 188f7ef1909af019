package soke

import (
	"bytes"
	"encoding/json"
	"iter"
)

// An answer is proved to be JSON once, in parse. What follows looks at parts of it as they are
// written: nothing is decoded twice, nothing is copied, and what Soke sent can go out unchanged.

// fields yields the names and values of an object as they are written, without copying.
// object is valid JSON; nothing is yielded of anything but an object.
func fields(object []byte) iter.Seq2[[]byte, json.RawMessage] {
	return func(yield func([]byte, json.RawMessage) bool) {
		depth, value := 0, 0
		var name []byte
		for i := 0; i < len(object); i++ {
			switch c := object[i]; c {
			case '{', '[':
				depth++
			case '"':
				end := quoteEnd(object, i)
				if name == nil { // else it belongs to the name's value
					name = object[i:end]
				}
				i = end - 1
			case ':':
				if depth == 1 {
					value = i + 1
				}
			case ',', '}', ']':
				if depth == 1 && name != nil && value > 0 {
					if !yield(unquote(name), bytes.TrimSpace(object[value:i])) {
						return
					}
					name = nil
				}
				if c != ',' {
					depth--
				}
			}
		}
	}
}

// quoteEnd returns where the text that begins at i ends, its quote included.
func quoteEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		quote := bytes.IndexByte(b[i:], '"')
		if quote < 0 {
			return len(b)
		}
		escapes := 0
		for at := i + quote - 1; at >= i && b[at] == '\\'; at-- {
			escapes++
		}
		if i += quote; escapes%2 == 0 {
			return i + 1
		}
	}
	return len(b)
}

// unquote returns what a JSON text says.
func unquote(quoted []byte) []byte {
	if len(quoted) >= 2 && bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it was a part of valid JSON
	return []byte(s)
}

// elements yields the values of an array as they are written, without copying. array is valid
// JSON; nothing is yielded of anything but an array.
func elements(array []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		if array = bytes.TrimSpace(array); len(array) < 2 || array[0] != '[' {
			return
		}
		depth, begun := 0, 1
		for i := 0; i < len(array); i++ {
			switch c := array[i]; c {
			case '{', '[':
				depth++
			case '"':
				i = quoteEnd(array, i) - 1
			case ',', '}', ']':
				if depth == 1 && (c == ',' || c == ']') {
					if value := bytes.TrimSpace(array[begun:i]); len(value) > 0 && !yield(value) {
						return
					}
					begun = i + 1
				}
				if c != ',' {
					depth--
				}
			}
		}
	}
}
