package schemas

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Bounds of the names that a hint compares and lists.
const (
	maxCompared = 64
	maxListed   = 10
)

// Nearest returns a hint for a name that is none of known: the one that was probably meant, or,
// when none is near, the first of them. Case, spaces, dashes and underscores do not count.
func Nearest(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "the nearest is " + strconv.Quote(near)
	}
	if len(known) == 0 {
		return "there is none"
	}
	if len(known) > maxListed {
		return "known are " + strings.Join(known[:maxListed], ", ") + " and " + strconv.Itoa(len(known)-maxListed) + " more"
	}
	return "known are " + strings.Join(known, ", ")
}

// nearest returns the known name with the least edit distance, or "" when more than about a third
// of the name would have to change.
func nearest(name string, known []string) string {
	if utf8.RuneCountInString(name) > maxCompared {
		return ""
	}
	wanted := folded(name)
	size := utf8.RuneCountInString(wanted)
	best, least := "", min((size+2)/3, 4)+1
	for _, k := range known {
		if d := levenshtein.ComputeDistance(wanted, folded(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

var separators = strings.NewReplacer(" ", "", "-", "", "_", "")

func folded(s string) string { return separators.Replace(strings.ToLower(s)) }
