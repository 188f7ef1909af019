package make

import (
	"errors"

	"github.com/usesoke/soke-connector/connector/platform"
)

// Export returns the package that users install.
func (Dialect) Export(platform.Export) (platform.Files, error) {
	return nil, errors.New("there is no package yet")
}
