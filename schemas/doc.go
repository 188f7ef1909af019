// Package schemas turns the Go types of inputs and outputs into JSON Schema and form fields, and
// decodes what forms send into those types.
//
// Everything about a field is written once, in its struct tags:
//
//	json      its name; omitempty or omitzero means that an output may lack it
//	title     its label on a form, in sentence case; the name without it
//	help      one or two sentences for the person who fills it in
//	default   what an absent value means, written as a form would send it
//	example   a realistic value, written the same way
//	validate  the rules of go-playground/validator, which is the judge of values
//	form      a comma list of multiline, upper, lower, advanced, hidden, secret, clear and nullable
//
// Embedded structs are flattened. Forms are lenient in spelling (Decode says how) and strict in
// everything else; the schema describes the strict spelling.
package schemas
