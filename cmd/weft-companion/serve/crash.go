package serve

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/weftrun/weft/internal/statefile"
)

// Nothing is synced to the disk, so a crash of the machine may leave files that have a name, but
// other content than was written. The file v1/state says in which boot of the machine a server was
// started, and whether its end was noted, by which time all was on the disk. If it says neither,
// or another boot and no end, all files that exist are suspect: a blob is verified before it is
// used, which its time then says.

const (
	stateName = "state"
	maxState  = 4 << 10 // bytes
)

// state is the content of the file.
type state struct {
	Boot  string    `json:"boot"`  // of the machine, when the server was started; "" if that is unknown
	Clean bool      `json:"clean"` // the server has ended, and all is on the disk
	Since time.Time `json:"since"` // files that were written or verified before are suspect; zero: none
}

// suspicion selects the files that may be damaged. The zero value suspects none.
type suspicion struct {
	before time.Time // suspects files of an earlier time
	after  time.Time // and of a later one, which no clock has told yet
}

// covers reports whether a file with this time is suspect.
func (s suspicion) covers(modified time.Time) bool {
	return !s.before.IsZero() && (modified.Before(s.before) || modified.After(s.after))
}

// begin notes that a server starts, and returns what state the last one left.
func begin(top *statefile.Dir, boot string, now time.Time) (state, error) {
	last, err := readState(top)
	if err != nil {
		return last, err
	}
	next := state{Boot: boot, Since: last.Since}
	if !last.Clean && (boot == "" || last.Boot != boot) {
		next.Since = now
	}
	return next, writeState(top, next)
}

// readState returns the state in the file; one that ended well, if there is no file, since then
// there is nothing else either. A file that cannot be read counts as one of a crash.
func readState(top *statefile.Dir) (state, error) {
	b, err := top.ReadFile(stateName, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return state{Clean: true}, nil
	}
	var s state
	if err != nil {
		return s, err
	}
	if json.Unmarshal(b, &s) != nil {
		return state{}, nil
	}
	return s, nil
}

func writeState(top *statefile.Dir, s state) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return top.WriteFile(stateName, append(b, '\n'))
}

// bootID identifies this boot of the machine; "" if it is unknown.
func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}
