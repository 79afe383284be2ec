// Command weft-companion is weft's second program: all that needs a network or
// a heavy library, which weft itself does not link, because what is linked is
// paid for at every start. weft finds and starts it; see package companion.
//
// It is thin: its first argument names a room, each a package of its own below
// this directory. Without one it answers weft over standard input and output;
// see package channel.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/weftrun/weft/cmd/weft-companion/fetch"
	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/internal/version"
)

func main() { os.Exit(run(os.Args[1:])) }

const usage = `weft-companion is started by weft, of which it is a part. There is nothing to ask it but --version.
`

// run is the whole program; it returns the exit status.
func run(args []string) int {
	switch {
	case len(args) == 0:
		return talk(os.Stdin, os.Stdout)
	case len(args) == 1 && args[0] == "--version":
		fmt.Println(version.Module())
		return 0
	}
	fmt.Fprint(os.Stderr, usage)
	return 2
}

// dropAfter is how long what is under way may take to end when weft has gone. It
// is far from the second that weft waits.
const dropAfter = 800 * time.Millisecond

// talk answers weft until in ends.
func talk(in io.Reader, out io.Writer) int {
	signal.Ignore(os.Interrupt) // weft has it, and decides
	room := fetch.New(fetch.Options{Environ: os.Environ()})
	gone := func() { time.AfterFunc(dropAfter, func() { os.Exit(0) }) }
	err := channel.Serve(context.Background(), &watched{Reader: in, gone: gone}, out, channel.Hello{Version: version.Module()}, room)
	room.Close()
	if err != nil {
		return 1
	}
	return 0
}

// watched calls gone when there is nothing more to read.
type watched struct {
	io.Reader
	gone func()
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.Reader.Read(b)
	if err != nil {
		w.gone()
	}
	return n, err
}
