// Command weft-companion is weft's second program: everything that needs a network or a heavy
// library, which weft itself does not link, because linked code slows every start. weft finds and
// starts it; see package companion.
//
// Its first argument names a room, each a package of its own below this directory. Without one it
// answers weft over standard input and output; see package channel.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/weftrun/weft/cmd/weft-companion/client"
	"github.com/weftrun/weft/cmd/weft-companion/conform"
	"github.com/weftrun/weft/cmd/weft-companion/fetch"
	"github.com/weftrun/weft/cmd/weft-companion/otel"
	"github.com/weftrun/weft/cmd/weft-companion/serve"
	"github.com/weftrun/weft/cmd/weft-companion/tui"
	"github.com/weftrun/weft/cmd/weft-companion/ui"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/internal/version"
)

func main() { os.Exit(run(os.Args[1:])) }

const usage = `weft-companion is a part of weft, which starts it. The only flag is --version.
`

// run runs the program and returns the exit status.
func run(args []string) int {
	switch {
	case len(args) == 0:
		return serveRequests(os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "--version":
		fmt.Println(version.Module())
		return 0
	case args[0] == "serve":
		return serve.Main(args[1:], os.Stdout, os.Stderr)
	case len(args) == 3 && args[0] == "tui":
		return showScreen(args[1], args[2], false)
	case len(args) == 4 && args[0] == "tui" && args[3] == "own":
		return showScreen(args[1], args[2], true)
	case len(args) >= 2 && args[0] == "otlp":
		return room(args[1], func() error { return otel.Run(os.Stdin, os.Stdout, otel.Limit) })
	case len(args) == 3 && args[0] == "ui":
		o := ui.Options{FlushTimeout: ui.FlushTimeout}
		if json.Unmarshal([]byte(args[2]), &o) != nil {
			break
		}
		return room(args[1], func() error { return ui.Run(os.Stdin, os.Stdout, o) })
	}
	fmt.Fprint(os.Stderr, usage)
	return 2
}

// showScreen shows the run whose socket is at path, for the weft of a version. The run may use the
// same terminal, if own is set.
func showScreen(weft, path string, own bool) int {
	if weft != version.Module() {
		return companion.Mismatch
	}
	code, err := tui.Run(path, own, os.Environ())
	if err != nil {
		fmt.Fprintln(os.Stderr, "weft: the screen:", err)
	}
	return code
}

// room runs a room for the weft of a version; see companion.Open.
func room(weft string, run func() error) int {
	signal.Ignore(os.Interrupt) // weft has it, and decides
	if weft != version.Module() {
		return companion.Mismatch
	}
	if err := run(); err != nil {
		return 1
	}
	return 0
}

// rooms answers all requests.
type rooms struct {
	files   *fetch.Room
	conform *conform.Room
	*client.Room
}

// Hello implements channel.Handler.
func (r rooms) Hello(weft channel.Hello) {
	r.files.Hello(weft)
	r.Room.Hello(weft)
}

// Taskfile implements channel.Handler.
func (r rooms) Taskfile(ctx context.Context, q *channel.TaskfileRequest) (*channel.Taskfile, error) {
	return r.files.Taskfile(ctx, q)
}

// Conform implements channel.Handler.
func (r rooms) Conform(ctx context.Context, q *channel.ConformRequest) (*channel.Verdict, error) {
	return r.conform.Conform(ctx, q)
}

// exitDelay is the time limit for open requests after weft has closed the connection. It is well
// below the second that weft waits.
const exitDelay = 800 * time.Millisecond

// serveRequests answers weft until in ends.
func serveRequests(in io.Reader, out io.Writer) int {
	signal.Ignore(os.Interrupt) // weft has it, and decides
	room := rooms{fetch.New(fetch.Options{Environ: os.Environ()}), new(conform.Room), client.New(client.Options{Environ: os.Environ(), Version: version.Module()})}
	gone := func() { time.AfterFunc(exitDelay, func() { os.Exit(0) }) }
	err := channel.Serve(context.Background(), &eofReader{Reader: in, onEOF: gone}, out, channel.Hello{Version: version.Module()}, room)
	room.files.Close()
	room.Room.Close()
	if err != nil {
		return 1
	}
	return 0
}

// eofReader calls onEOF when there is nothing more to read.
type eofReader struct {
	io.Reader
	onEOF func()
}

func (w *eofReader) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	if err != nil {
		w.onEOF()
	}
	return n, err
}
