package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version and commit are stamped by the release build:
//
//	go build -ldflags "-X main.version=1.2.3 -X main.commit=abcdef0"
var (
	version = "dev"
	commit  = ""
)

type versionCommand struct{}

// Run prints version, commit and Go version.
func (versionCommand) Run(p process) error {
	_, err := fmt.Fprintf(p.stdout, "soke-connector %s (commit %s, %s)\n", version, commitName(), runtime.Version())
	return err
}

// commitName is the stamped commit, or the one that the Go toolchain recorded.
func commitName() string {
	if commit != "" {
		return commit
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value
			}
		}
	}
	return "unknown"
}
