package client

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/engine/channel"
)

// TestOwnServer stores results on our server, over each protocol, and gets them on another machine.
func TestOwnServer(t *testing.T) {
	address := ownServer(t)
	for _, scheme := range []string{"grpc://", "http://"} {
		t.Run(scheme, func(t *testing.T) {
			url := scheme + address + "/team"
			a, b := newMachine(t), newMachine(t)
			if c := a.connect(url); c.Off != "" || !c.Reads || !c.Writes || c.API == "" || c.Server != address {
				t.Fatalf("got %+v", c)
			}
			b.connect(url)
			small := a.save(scheme+"small", []byte("hello"), nil, bytesOf("small", 5000))
			large := a.save(scheme+"large", bytesOf("large"+scheme, 3<<20), bytesOf("middle"+scheme, 300_000))
			big := a.save(scheme+strings.Repeat("big", 1000), make([][]byte, 400)...) // its result has 1.2 MB
			if f := b.lookup(small.action); f.Lookup != channel.Miss {
				t.Fatalf("got %+v", f)
			}
			for _, s := range []*saved{small, large, big} {
				a.push(s)
			}
			for _, s := range []*saved{small, large, big, small} {
				b.wantAll(s)
			}
			none := cache.DigestOf([]byte("nobody has this"))
			if f := b.fetch(none, small.blobs[0]); !slices.Equal(f.Missing, []channel.Blob{channel.Blob(none)}) || f.Problem != "" {
				t.Errorf("got %+v", f)
			}
			if len(a.said)+len(b.said) > 0 {
				t.Errorf("got %q, %q", a.said, b.said)
			}
		})
	}
}

// TestTokens: a token to read cannot write, whatever the client wants, and nothing that is told or
// logged has a credential in it.
func TestTokens(t *testing.T) {
	dir := t.TempDir()
	token := func(name string) (text, line string) {
		text = "secret-" + name + "-0123456789"
		return text, fmt.Sprintf("%s sha256:%x", name, sha256.Sum256([]byte(text)))
	}
	read, readLine := token("read")
	write, writeLine := token("write")
	file := filepath.Join(dir, "tokens")
	if err := os.WriteFile(file, []byte(readLine+"\n"+writeLine+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address, log := loggedServer(t, "--tokens", file, "--log=requests")
	var told []string
	for _, scheme := range []string{"grpc://", "http://"} {
		a, b := newMachine(t, "WEFT_CACHE_TOKEN="+write), newMachine(t, "KEY="+read)
		a.connect(scheme + address)
		s := a.save(scheme, []byte("content"))
		a.push(s)
		c := b.connect(scheme+address, func(q *channel.ConnectRequest) {
			q.Headers = []channel.Header{{Name: "Authorization", Value: "Bearer $KEY"}}
		})
		if scheme == "grpc://" && c.Writes {
			t.Error("it may write")
		}
		b.wantAll(s)
		other := b.save(scheme+"other", []byte("other"))
		b.store(other)
		b.flush()
		if f := a.lookup(other.action); f.Lookup != channel.Miss {
			t.Errorf("%s: a token to read has written", scheme)
		}
		if len(b.said) != 1 || !strings.Contains(b.said[0], "does not accept writes from here") || !strings.HasSuffix(b.said[0], "reading only") {
			t.Errorf("got %q", b.said)
		}
		b.wantAll(s) // it goes on reading

		// As a password, and a wrong one.
		d := newMachine(t)
		d.connect(scheme + "anyone:" + read + "@" + address)
		d.wantAll(s)
		e := newMachine(t)
		c = e.connect(scheme + "anyone:wrong-" + read + "@" + address)
		f := e.lookup(s.action)
		if f.Lookup != channel.Off || len(e.said) != 1 || !strings.Contains(e.said[0], "refuses access") {
			t.Errorf("got %+v, %+v, %q", c, f, e.said)
		}
		told = append(told, fmt.Sprint(c, f), fmt.Sprint(a.said, b.said, d.said, e.said))
	}
	for _, text := range append(told, log()) {
		if strings.Contains(text, "secret-") || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte("anyone:"))[:8]) {
			t.Errorf("a credential is told: %s", text)
		}
	}
	if !strings.Contains(log(), "FindMissingBlobs") {
		t.Errorf("the log has no requests: %s", log())
	}
}

// TestEchoedSecret: a server that says a credential back does not have it shown.
func TestEchoedSecret(t *testing.T) {
	s := newWebsite(t, func(w http.ResponseWriter, q *http.Request, _ int) bool {
		http.Error(w, "you said "+q.Header.Get("Authorization")+" and "+q.Header.Get("X-Key")+"\x1b[31m", http.StatusForbidden)
		return true
	})
	m := newMachine(t, "WEFT_CACHE_TOKEN=secret-token-1", "KEY=secret-key-2")
	m.connect(s.URL, func(q *channel.ConnectRequest) { q.Headers = []channel.Header{{Name: "x-key", Value: "a${KEY}b"}} })
	m.lookup(m.save("x").action)
	if all := strings.Join(m.said, "\n"); !strings.Contains(all, `you said ***** and *****\x1b[31m`) || strings.Contains(all, "secret") {
		t.Errorf("got %q", m.said)
	}
}

// TestTLS: with the authority of the server, and only then, there is a connection.
func TestTLS(t *testing.T) {
	site := httptest.NewUnstartedServer(nil)
	site.StartTLS() // for its certificate
	defer site.Close()
	ca := caFile(t, site)
	key := filepath.Join(t.TempDir(), "key.pem")
	der, err := x509.MarshalPKCS8PrivateKey(site.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	address := ownServer(t, "--tls", ca+","+key)
	for _, scheme := range []string{"grpcs://", "https://"} {
		for name, c := range map[string]struct {
			ca, server string
			off        bool
		}{
			"trusted":    {ca: ca},
			"untrusted":  {off: true},
			"other name": {ca: ca, server: "other.invalid", off: true},
			"its name":   {ca: ca, server: "example.com"},
		} {
			m := newMachine(t)
			a := m.connect(scheme+address, func(q *channel.ConnectRequest) { q.CA, q.ServerName = c.ca, c.server })
			f := m.lookup(m.save("x").action)
			if works := f.Lookup == channel.Miss && len(m.said) == 0; works == c.off {
				t.Errorf("%s %s: %+v, %+v, %q", scheme, name, a, f, m.said)
			}
			if c.off && (len(m.said) != 1 || !strings.Contains(m.said[0], "cannot be reached (tls: failed to verify certificate")) {
				t.Errorf("%s %s: %q", scheme, name, m.said)
			}
		}
	}
}

// TestUnixSocket: over a socket of this machine, too.
func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "weft")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s", "weft.sock")
	ownServer(t, "--listen", "unix:"+socket)
	a, b := newMachine(t), newMachine(t)
	if c := a.connect("unix:" + socket); c.Off != "" || c.Server != "unix:"+socket {
		t.Fatalf("got %+v", c)
	}
	b.connect("unix:" + socket)
	s := a.save("socket", bytesOf("socket", 2<<20))
	a.push(s)
	b.wantAll(s)
}

// TestServerKilled: a server that dies in the middle costs misses, and nothing is kept half.
func TestServerKilled(t *testing.T) {
	for _, scheme := range []string{"grpc://", "http://"} {
		address, cmd := startServer(t)
		a := newMachine(t)
		a.connect(scheme + address)
		s := a.save(scheme, bytesOf(scheme, 24<<20), []byte("small"))
		a.push(s)
		b := newMachine(t)
		b.connect(scheme + address)
		if b.lookup(s.action).Lookup != channel.Hit {
			t.Fatal("not found")
		}
		fetched := make(chan *channel.Fetched, 1)
		go func() { fetched <- b.fetch(s.blobs...) }()
		traffic := b.all[0].cache.traffic
		for end := time.Now().Add(time.Minute); traffic.down.Load() < 1<<20 && time.Now().Before(end); {
			runtime.Gosched()
		}
		cmd.Process.Kill()
		f := <-fetched
		if whole := f.Problem == "" && len(f.Missing) == 0; whole != b.disk.Has(s.blobs[0]) {
			t.Errorf("%s: got %+v", scheme, f)
		}
		if b.disk.Has(s.blobs[0]) {
			b.content(s.blobs[0])
		}
		a.store(a.save("later", []byte("later")))
		if got := a.flush(); got.Pushed != 1 || got.Pending != 0 {
			t.Errorf("%s: got %+v", scheme, got)
		}
		b.lookup(s.action)
		if len(b.said) > 1 || len(a.said) > 1 {
			t.Errorf("%s: got %q, %q", scheme, a.said, b.said)
		}
		if left, err := os.ReadDir(filepath.Join(b.dir, "v1", "tmp")); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", scheme, left, err)
		}
	}
}
