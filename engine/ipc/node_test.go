//go:build unix

package ipc

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// node starts a script of Node with a channel, which it finds as a descriptor.
func node(t testing.TB, script string, fd int) *Channel {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	c, program := open(t)
	cmd := exec.Command(path, "-e", script)
	cmd.ExtraFiles = append(make([]*os.File, fd-3), program)
	cmd.Env = append(os.Environ(), "NODE_CHANNEL_FD="+strconv.Itoa(fd), "NODE_CHANNEL_SERIALIZATION_MODE=json")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	t.Cleanup(func() {
		c.Disconnect()
		cmd.Wait()
	})
	return c
}

const echo = `process.on('message', m => process.send(m))`

// TestDescriptors: the channel may be any descriptor.
func TestDescriptors(t *testing.T) {
	for _, fd := range []int{3, 12} {
		c := node(t, echo, fd)
		if err := c.Send([]byte(`{"fd":1}`)); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Next(); err != nil || string(m.JSON) != `{"fd":1}` {
			t.Errorf("descriptor %d: %s, %v", fd, m.JSON, err)
		}
	}
}

// BenchmarkRoundTrips sends requests to a child and waits for the answers: one after the other, and
// with several under way.
func BenchmarkRoundTrips(b *testing.B) {
	for _, under := range []int{1, 16} {
		b.Run(fmt.Sprintf("underway=%d", under), func(b *testing.B) {
			c := node(b, echo, 3)
			request := []byte(`{"task":"sum","a":5,"b":8}`)
			for range under {
				c.Send(request)
			}
			if _, err := c.Next(); err != nil { // it has started
				b.Fatal(err)
			}
			for b.Loop() {
				if err := c.Send(request); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Next(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "roundtrips/s")
		})
	}
}
