package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"

	"github.com/weftrun/weft/engine/cache"
)

// buildStream is where Debian has the server of BuildStream.
const buildStream = "/usr/lib/python3/dist-packages/buildstream/_artifactcache/casserver.py"

// startBuildStream starts the server of BuildStream, and returns its address.
func startBuildStream(t *testing.T) (address string) {
	t.Helper()
	if _, err := os.Stat(buildStream); err != nil {
		t.Skip("the server of BuildStream is not installed: apt-get install buildstream")
	}
	address = freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command("/usr/bin/python3", "-c", fmt.Sprintf(`
import sys
sys.argv = ["server", "--port", %q, "--enable-push", %q]
from buildstream._artifactcache.casserver import server_main
server_main()`, port, t.TempDir()))
	startReal(t, cmd, address)
	return address
}

// TestBuildStream: blobs of all sizes go to a server with batches of 1 MiB, which compresses nothing and keeps
// no results, and come back.
func TestBuildStream(t *testing.T) {
	host := startBuildStream(t)
	connect := func() *lab {
		l := &lab{t: t}
		dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", host) }
		l.connect(&address{rpc: true, network: "tcp", host: host}, dial, func() {})
		if err := l.ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		return l
	}
	up := connect()
	var blobs []cache.Digest
	for i, size := range []int{1, 1000, 300_000, 300_000, 300_000, 300_000, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5 << 20} {
		blobs = append(blobs, up.keep(bytesOf(fmt.Sprint(i), size)))
	}
	missing, err := up.missing(t.Context(), Call{}, blobs)
	if err == nil {
		err = up.upload(t.Context(), Call{}, missing, up.ofLocal)
	}
	if err != nil || len(missing) != len(blobs) {
		t.Fatalf("missing %v, %v", missing, err)
	}
	if missing, err := connect().missing(t.Context(), Call{}, blobs); err != nil || len(missing) > 0 {
		t.Errorf("missing %v, %v", missing, err)
	}
	down := connect()
	if missing, err := down.fetch(t.Context(), Call{}, blobs); len(missing) > 0 || err != nil {
		t.Fatalf("missing %v, %v", missing, err)
	}
	down.has(blobs...)
}
