//go:build !unix

package schema

import "syscall"

// receivable are the signals that can be sent to programs that keep running. There are
// none here: a file that names them is read, and nothing comes of it.
var receivable = map[string]syscall.Signal{
	"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM,
	"USR1": 0x1e, "USR2": 0x1f, "WINCH": 0x1c,
}
