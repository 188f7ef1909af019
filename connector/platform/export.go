package platform

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
