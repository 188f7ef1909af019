package sqlite

import "fmt"

// sealedColumn is a column of ciphertexts. A ciphertext opens only in the table, column and row
// that it was sealed for.
type sealedColumn struct {
	table  string
	id     string // the column that names the row: BLOB, TEXT or INTEGER, unique
	column string
}

// sealedColumns are all columns of ciphertexts, by which a rotation finds them. A table that
// gains one adds it here.
var sealedColumns = []sealedColumn{secretColumn, answerColumn, keyColumn, previousKeyColumn, targetColumn, tokenColumn, callbackColumn, callbackAnswerColumn}

// place returns the associated data of the ciphertext in the row called id: a []byte, a string
// or an int64, as the row has it.
func (c sealedColumn) place(id any) []byte {
	b := appendField(nil, c.table)
	b = appendField(b, c.column)
	switch id := id.(type) {
	case []byte:
		return appendField(b, id)
	case string:
		return appendField(b, id)
	default:
		return appendField(b, fmt.Append(nil, id))
	}
}

// unlike returns the condition, with one parameter, that a ciphertext does not open with mark.
// IS NOT, because the first bytes of an empty ciphertext are NULL to SQLite.
func (c sealedColumn) unlike(mark []byte) string {
	return fmt.Sprintf("%[1]s IS NOT NULL AND substr(%[1]s, 1, %[2]d) IS NOT ?", c.column, len(mark))
}
