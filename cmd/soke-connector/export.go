package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/usesoke/soke-connector/connector/platform"
)

type exportCommand struct {
	Platform string `arg:"" enum:"${platforms}" help:"One of ${platforms}."`
	URL      string `name:"url" required:"" placeholder:"URL" help:"Where the platform reaches this connector, such as https://connector.example.com."`
	Out      string `required:"" placeholder:"DIR" help:"The directory to write the package to; empty or absent."`
	Force    bool   `help:"Replace what is in the directory."`
}

// Run writes a platform's package.
func (c *exportCommand) Run(p process) error {
	address, err := publicAddress(c.URL)
	if err != nil {
		return usageError{fmt.Errorf("--url %w", err)}
	}
	if err := c.checkOut(); err != nil {
		return usageError{err}
	}
	var chosen exporter
	for _, e := range exporters() {
		if string(e.Name()) == c.Platform {
			chosen = e
		}
	}
	files, err := chosen.Export(platform.Export{
		Catalogue: catalogue(), URL: address, Version: packageVersion(),
	})
	if err != nil {
		return fmt.Errorf("exporting for %s: %w", c.Platform, err)
	}
	if err := c.write(files); err != nil {
		return fmt.Errorf("writing to %s: %w; choose another directory with --out", c.Out, err)
	}
	_, err = fmt.Fprintf(p.stdout, "%d files for %s in %s; its README.md says how to install them\n", len(files), c.Platform, c.Out)
	return err
}

// publicAddress checks where a package will call. Plain http reaches no further than this machine.
func publicAddress(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// It is not quoted: it may hold a password.
		return "", errors.New("it is not a URL such as https://connector.example.com, without a user name or a query")
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", fmt.Errorf("%q must begin with https://; http is for this machine only, because keys would travel in clear", raw)
	}
	return strings.TrimRight(u.String(), "/"), nil
}

var releaseForm = regexp.MustCompile(`^v?(\d+\.\d+\.\d+)$`)

// packageVersion is the connector's version in the form that package registries want.
func packageVersion() string {
	if m := releaseForm.FindStringSubmatch(version); m != nil {
		return m[1]
	}
	return "1.0.0"
}

func (c *exportCommand) checkOut() error {
	entries, err := os.ReadDir(c.Out)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--out %s: %w", c.Out, err)
	case len(entries) > 0 && !c.Force:
		return fmt.Errorf("--out %s is not empty; choose another directory, or replace it with --force", c.Out)
	}
	return nil
}

// write writes the whole package aside and then puts it in its place, so that a directory is never
// half a package. A directory that exists is kept and filled: it may be a mount point, or the one
// that the caller's shell stands in.
func (c *exportCommand) write(files platform.Files) (err error) {
	out, err := filepath.Abs(c.Out)
	if err != nil {
		return err
	}
	place := filepath.Dir(out)
	existing, err := filepath.EvalSymlinks(out)
	exists := err == nil
	if exists {
		out, place = existing, existing
	}
	if err := os.MkdirAll(place, 0o755); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(place, ".soke-export-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	content := filepath.Join(aside, "package")
	for path, data := range files {
		if !fs.ValidPath(path) {
			return fmt.Errorf("the package has a file called %q", path)
		}
		name := filepath.Join(content, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, data, modeOf(path, data)); err != nil {
			return err
		}
	}
	if !exists {
		return os.Rename(content, out)
	}
	return replaceContent(out, content, aside)
}

// replaceContent moves what is in out away to aside, and what is in content to out. If it cannot, out
// is what it was.
func replaceContent(out, content, aside string) (err error) {
	var moved [][2]string
	defer func() {
		if err == nil {
			return
		}
		for _, m := range slices.Backward(moved) {
			err = errors.Join(err, os.Rename(m[1], m[0]))
		}
	}()
	move := func(from, to string) error {
		entries, err := os.ReadDir(from)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			m := [2]string{filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())}
			if m[0] == aside {
				continue
			}
			if err := os.Rename(m[0], m[1]); err != nil {
				return err
			}
			moved = append(moved, m)
		}
		return nil
	}
	old := filepath.Join(aside, "old")
	if err := os.Mkdir(old, 0o755); err != nil {
		return err
	}
	if err := move(out, old); err != nil {
		return err
	}
	return move(content, out)
}

// modeOf lets scripts run.
func modeOf(path string, data []byte) fs.FileMode {
	if slices.Contains([]string{".sh", ""}, filepath.Ext(path)) && strings.HasPrefix(string(data), "#!") {
		return 0o755
	}
	return 0o644
}
