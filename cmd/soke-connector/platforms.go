package main

import (
	"strings"

	"github.com/usesoke/soke-connector/actions"
	"github.com/usesoke/soke-connector/connector/platform"
	"github.com/usesoke/soke-connector/connector/platform/make"
	"github.com/usesoke/soke-connector/connector/platform/n8n"
	"github.com/usesoke/soke-connector/connector/platform/zapier"
	"github.com/usesoke/soke-connector/triggers"
)

// exporter is a platform that has a package to install.
type exporter interface {
	platform.Dialect
	Export(e platform.Export) (platform.Files, error)
}

// exporters lists the platforms: those that the service speaks to and packages are made for.
func exporters() []exporter {
	return []exporter{zapier.Dialect{}, n8n.Dialect{}, make.Dialect{}}
}

func dialects() []platform.Dialect {
	var all []platform.Dialect
	for _, e := range exporters() {
		all = append(all, e)
	}
	return all
}

// platformNames are the platforms for the command line, separated by commas.
func platformNames() string {
	var names []string
	for _, e := range exporters() {
		names = append(names, string(e.Name()))
	}
	return strings.Join(names, ",")
}

// catalogue is every operation there is.
func catalogue() platform.Catalogue {
	return platform.Catalogue{Actions: actions.All(), Triggers: triggers.All()}
}
