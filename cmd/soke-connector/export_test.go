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

func TestExportFillsADirectoryThatExistsInsteadOfReplacingIt(t *testing.T) {
	parent := t.TempDir()
	out, link := filepath.Join(parent, "out"), filepath.Join(parent, "link")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(out, link); err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--out", link}, {"--out", out, "--force"}} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"export", "make", "--url", "https://connector.example.com"}, args...), process{stdout: &stdout, stderr: &stderr}); code != exitOK {
			t.Fatalf("%v: %d %s", args, code, stderr.String())
		}
		after, err := os.Stat(out)
		if err != nil || !os.SameFile(before, after) {
			t.Errorf("%v: the directory is another one now, or none (%v)", args, err)
		}
		if _, err := os.Stat(filepath.Join(out, "makecomapp.json")); err != nil {
			t.Errorf("%v: %v", args, err)
		}
		if hidden, err := filepath.Glob(filepath.Join(out, ".soke-export-*")); err != nil || hidden != nil {
			t.Errorf("%v left %v", args, hidden)
		}
	}
	if l, err := os.Lstat(link); err != nil || l.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is no more (%v)", err)
	}
}
