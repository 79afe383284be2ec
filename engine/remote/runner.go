// Package remote performs steps elsewhere than in the root directory, where they find nothing but
// their inputs: on this machine ([Here]), or on machines of a server ([Server]). It knows which steps can
// be performed so, and what weft and the runner there say to each other. The connection to a server is
// that of the second program; see package channel.
//
// # The runner
//
// The runner is weft itself, called with [Flag] and the path of an act in a directory that is laid
// out as package cache describes. It writes to its standard output what the commands write, and to
// its standard error, beside messages for people:
//
//	weft act 1                  first of all: it runs
//	weft log BASE64             at the end of the commands, well or not: a cache.Log with the marks
//
// It exits with the status of the failed command, or 1 if there is none; 124 after a time limit; and
// 125, without the second line, if it could not perform the act.
package remote

import (
	"encoding/base64"
	"strings"

	"github.com/weftrun/weft/engine/cache"
)

// Words of the protocol.
const (
	// Flag is the first argument of a runner; the second one is the path of the act.
	Flag = "--act"
	// Marker names the protocol. Programs that can be a runner contain it.
	Marker = "weft-act/1"
	// Greeting is the first line of a runner.
	Greeting = "weft act 1\n"
	// Unable is the exit status of a runner that could not perform the act.
	Unable = 125

	logWord    = "weft log "
	reasonWord = "weft: "
)

// LogLine returns the line that describes a log with these marks.
func LogLine(marks []cache.Mark) string {
	log := cache.Log{Marks: marks}
	return logWord + base64.StdEncoding.EncodeToString(log.Append(nil)) + "\n"
}

// Reason returns the line that tells people, and weft, why a runner exits.
func Reason(why string) string { return reasonWord + strings.ReplaceAll(why, "\n", " ") + "\n" }
