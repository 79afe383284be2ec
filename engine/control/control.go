// Package control is the protocol for requests to a running run: over its own socket, to which only
// processes of the same user can connect.
//
// All messages are lines of JSON, described by schema/control.schema.json. A connection begins with
// a [Hello]. Then the run sends events, in the form of package event, interleaved with answers; the
// client sends requests ([Request]). The run never waits for a client: messages are queued, and a
// client that does not read loses the connection.
//
// The package owns the sockets and the lines. It knows neither the meaning of events nor how
// requests are performed.
package control

import (
	"encoding/json"
	"time"
)

// Version is the version of the protocol. Within a version fields and requests are added, never
// changed.
const Version = 1

// Hello is the first message of a connection.
type Hello struct {
	Control int       `json:"control"` // Version
	Run     string    `json:"run"`
	Pid     int       `json:"pid"`
	Dir     string    `json:"dir"`
	Root    string    `json:"root"`
	Command []string  `json:"command"` // weft's arguments, secrets masked
	Since   time.Time `json:"since"`
	Next    int64     `json:"next"` // number of the next event; the first has 0
}

// Request is a request to a run. The zero value of each field but Request means that it is absent.
type Request struct {
	ID      json.RawMessage   `json:"id,omitempty"`      // repeated in the answer; a number or a text
	Request string            `json:"request,omitempty"` // the action; "" with Since
	Task    string            `json:"task,omitempty"`    // the step, by its task, label or number
	Vars    map[string]string `json:"vars,omitempty"`    // for start: the variables of the call
	Args    []string          `json:"args,omitempty"`    // for start: CLI_ARGS; nil: those of the run
	Text    string            `json:"text,omitempty"`    // for send
	For     string            `json:"for,omitempty"`     // for wait: "ready" or "done"
	Follow  bool              `json:"follow,omitempty"`  // for log: also future output
	// Since requests the held events again, from this number on.
	Since *int64 `json:"since,omitempty"`
}

// answer is the answer to a request.
type answer struct {
	ID    json.RawMessage `json:"id,omitempty"`
	OK    any             `json:"ok,omitempty"`
	Error string          `json:"error,omitempty"`
}

// Repeated is the answer to a request for held events. These follow the answer, before all others.
type Repeated struct {
	Lost   int64 `json:"lost"`   // events of output that are no longer held
	Events int   `json:"events"` // number of events that follow
}

// MaxRequest is the maximum size of a request, in bytes.
const MaxRequest = 64 << 10

const (
	maxQueue    = 24 << 20 // bytes queued for a reader before it loses its connection
	maxHeld     = 4 << 20  // bytes of held output, and of all other held events
	maxConns    = 32
	maxPending  = 16 // unanswered requests of a connection
	closingTime = time.Second
)
