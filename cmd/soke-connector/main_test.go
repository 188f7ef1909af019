package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongUsageEndsWithTwoAndOneLineThatSaysWhatToChange(t *testing.T) {
	for name, args := range map[string][]string{
		"no command":      {},
		"unknown flag":    {"serve", "--nothing"},
		"log format":      {"serve", "--log-format", "xml"},
		"listen":          {"serve", "--listen", "nowhere", "--database", filepath.Join(t.TempDir(), "a.db")},
		"plain upstream":  {"serve", "--upstream-url", "http://api.example.com", "--database", filepath.Join(t.TempDir(), "b.db")},
		"public url":      {"serve", "--public-url", "connector.example.com"},
		"no patience":     {"serve", "--upstream-timeout", "0s"},
		"sandbox address": {"sandbox", "--listen", "x"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(context.Background(), args, process{stdout: &stdout, stderr: &stderr})
		if code != exitUsage {
			t.Errorf("%s: exit code %d, want %d", name, code, exitUsage)
		}
		if lines := strings.Count(stderr.String(), "\n"); lines != 1 || !strings.HasPrefix(stderr.String(), "soke-connector: ") {
			t.Errorf("%s: %d lines on stderr: %s", name, lines, stderr.String())
		}
	}
}

func TestVersionNamesVersionCommitAndGo(t *testing.T) {
	var stdout bytes.Buffer
	if code := run(context.Background(), []string{"version"}, process{stdout: &stdout, stderr: &stdout}); code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	if !strings.Contains(stdout.String(), "commit") || !strings.Contains(stdout.String(), "go1.") {
		t.Errorf("unexpected version %q", stdout.String())
	}
}
