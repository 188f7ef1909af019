package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExportWritesEachPackageWholeOrNotAtAll(t *testing.T) {
	for _, platform := range []string{"zapier", "n8n", "make"} {
		out := filepath.Join(t.TempDir(), platform)
		var stdout, stderr bytes.Buffer
		export := func(more ...string) int {
			stderr.Reset()
			args := append([]string{"export", platform, "--url", "https://connector.example.com", "--out", out}, more...)
			return run(t.Context(), args, process{stdout: &stdout, stderr: &stderr})
		}
		if code := export(); code != exitOK {
			t.Fatalf("%s: %d %s", platform, code, stderr.String())
		}
		if _, err := os.Stat(filepath.Join(out, "README.md")); err != nil {
			t.Error(err)
		}
		if code := export(); code != exitUsage || !strings.Contains(stderr.String(), "--force") {
			t.Errorf("%s into a full directory: %d %s", platform, code, stderr.String())
		}
		stray := filepath.Join(out, "stray")
		if err := os.WriteFile(stray, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if code := export("--force"); code != exitOK {
			t.Errorf("%s with --force: %d %s", platform, code, stderr.String())
		}
		if _, err := os.Stat(stray); err == nil {
			t.Errorf("%s: --force did not replace", platform)
		}
		if entries, err := os.ReadDir(filepath.Dir(out)); err != nil || len(entries) != 1 {
			t.Errorf("%s left %v beside the package", platform, entries)
		}
	}
}
