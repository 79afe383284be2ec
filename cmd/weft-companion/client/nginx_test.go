package client

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
)

// nginx starts nginx with a location in a configuration, and returns its address.
func nginx(t *testing.T, root, location string) (address string) {
	t.Helper()
	program, err := exec.LookPath("nginx")
	if err != nil {
		program = "/usr/sbin/nginx"
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("nginx is not installed: apt-get install nginx-light")
	}
	dir := t.TempDir()
	address = freeAddress(t)
	config := fmt.Sprintf(`daemon off; master_process off; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
	access_log off; client_max_body_size 0; client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen %[2]s; root %[3]s; location / { %[4]s } }
}`, dir, address, root, location)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-p", dir, "-c", file)
	startReal(t, cmd, address)
	return address
}

// TestNginx: ten lines of configuration are a shared cache. What was damaged there is not used.
func TestNginx(t *testing.T) {
	root := t.TempDir()
	address := nginx(t, root, "dav_methods PUT; create_full_put_path on; auth_basic off;")
	a, b := newMachine(t), newMachine(t)
	a.connect("http://" + address + "/team")
	b.connect("http://" + address + "/team")
	s := a.save("nginx", []byte("small"), bytesOf("nginx", 3<<20), bytesOf("head", 100_000), nil)
	if b.lookup(s.action).Lookup != channel.Miss {
		t.Error("found before it was stored")
	}
	if !a.store(s) || a.flush().Pushed != 1 {
		t.Skipf("this nginx does not take PUT: %q", a.said)
	}
	b.wantAll(s)
	damaged := filepath.Join(root, "team", "cas", s.blobs[1].Hex())
	if err := os.WriteFile(damaged, bytesOf("other", 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newMachine(t)
	c.connect("http://" + address + "/team")
	if f := c.fetch(s.blobs...); len(f.Missing) != 1 || cache.Digest(f.Missing[0]) != s.blobs[1] || c.disk.Has(s.blobs[1]) {
		t.Errorf("got %+v", f)
	}
}

// TestNginxReadOnly: the directory of a local cache, served by nginx with one rewrite, is a shared
// cache for reading.
func TestNginxReadOnly(t *testing.T) {
	a := newMachine(t)
	address := nginx(t, a.dir, `rewrite ^/(ac|cas)/(..)(.*)$ /v1/$1/$2/$2$3 break;`)
	s := a.save("read-only", bytesOf("x", 10_000), bytesOf("y", 2<<20))
	file := filepath.Join(a.dir, "v1", "ac", s.action.Hex()[:2], s.action.Hex())
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, s.result, 0o600); err != nil {
		t.Fatal(err)
	}
	b := newMachine(t)
	b.connect("http://" + address)
	b.wantAll(s)
	b.store(b.save("other", []byte("z")))
	if f := b.flush(); f.Pushed != 0 || len(b.said) != 1 || !strings.HasSuffix(b.said[0], "reading only") {
		t.Errorf("got %+v, %q", f, b.said)
	}
	b.wantAll(s)
}

// TestNginxRefuses: 401 and 403 end the use, with one warning.
func TestNginxRefuses(t *testing.T) {
	root := t.TempDir()
	for location, want := range map[string]string{
		"deny all;": "refuses access (403 Forbidden)",
		`auth_basic "team"; auth_basic_user_file /dev/null;`: "refuses access (401 Unauthorized)",
	} {
		m := newMachine(t)
		m.connect("http://" + nginx(t, root, location))
		for range 3 {
			if f := m.lookup(m.save("x").action); f.Lookup != channel.Off {
				t.Errorf("%s: got %+v", location, f)
			}
		}
		if len(m.said) != 1 || !strings.Contains(m.said[0], want) {
			t.Errorf("%s: got %q", location, m.said)
		}
	}
}
