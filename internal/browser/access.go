//go:build linux && !386

package browser

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// axeVersion is the version of axe-core, which checks accessibility.
const axeVersion = "4.14.0"

// Axe loads axe-core into the page. Without npm the test is skipped.
func (p *Tab) Axe() {
	p.Helper()
	source, err := os.ReadFile(filepath.Join(FromNPM(p, "axe-core", axeVersion), "axe.min.js"))
	if err != nil {
		p.Fatal(err)
	}
	Eval[bool](p, string(source)+"; true")
}

// Accessible fails the test for each problem that axe-core finds in the page as it is; in says
// in which state that is. Axe must have been called.
func (p *Tab) Accessible(in string) {
	p.Helper()
	for _, problem := range Eval[[]string](p, `axe.run().then(r => r.violations.flatMap(v => v.nodes.map(n => v.id + ': ' + n.html + ' ' + n.failureSummary)))`) {
		p.Errorf("%s: %s", in, problem)
	}
}

// Media emulates a medium, such as "print", and a colour scheme, "light" or "dark"; an empty text
// stands for the browser's own.
func (p *Tab) Media(medium, theme string) {
	p.Helper()
	Call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
}

// Size sets the size of the tab's window, in pixels.
func (p *Tab) Size(width, height int64) {
	p.Helper()
	Call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// FromNPM returns the directory of an npm package, which it downloads the first time, into the
// user's cache. Without it the test is skipped.
func FromNPM(t testing.TB, name, version string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	cache = filepath.Join(cache, "weft-ci")
	dir := filepath.Join(cache, name+"-"+version)
	if _, err := os.Stat(dir); err != nil {
		if err := os.MkdirAll(cache, 0o700); err != nil {
			t.Fatal(err)
		}
		tmp, err := os.MkdirTemp(cache, name+"-") // moved to its place when it is complete
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(tmp)
		ctx, cancel := context.WithTimeout(t.Context(), Patience)
		defer cancel()
		out, err := exec.CommandContext(ctx, "npm", "install", "--prefix", tmp, "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", name+"@"+version).CombinedOutput()
		if err != nil {
			t.Skipf("%s cannot be had from npm: %v\n%s", name, err, out)
		}
		if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) { // another test may have been first
			t.Skipf("%s cannot be kept: %v", name, err)
		}
	}
	return filepath.Join(dir, "node_modules", name)
}
