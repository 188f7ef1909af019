package platform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// Export is what a platform's package is made from.
type Export struct {
	Catalogue Catalogue
	// URL is where the connector is reached: https, without a slash at the end.
	URL string
	// Version is the connector's own, in the form major.minor.patch.
	Version string
}

// Files is a package as it is written to a directory: content by path, with slashes.
type Files map[string][]byte

// unreleased is the version in a package's sources, which an export replaces.
const unreleased = `"version": "0.0.0"`

// Sources returns the files of a package that are written by hand, out of the folder package/, with
// the version in its manifest and lock file.
func (e Export) Sources(sources fs.FS) (Files, error) {
	files := Files{}
	err := fs.WalkDir(sources, "package", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(sources, path)
		files[strings.TrimPrefix(path, "package/")] = content
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		files[name] = bytes.Replace(files[name], []byte(unreleased), fmt.Appendf(nil, `"version": %q`, e.Version), 2)
	}
	return files, nil
}

// PrettyJSON encodes for people to read.
func PrettyJSON(v any) ([]byte, error) { return IndentedJSON(v, "  ") }

// IndentedJSON encodes with an indent of its caller's choice.
func IndentedJSON(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", indent)
	err := encoder.Encode(v)
	return b.Bytes(), err
}
