package event

import "time"

// Message is a message that a command has sent on its channel (ipc).
type Message struct {
	fact    `event:"message"`
	Time    time.Time
	Step    StepID `event:"step"`
	Command int    `event:"command"`
	Data    string `event:"data"`          // JSON on one line, secrets masked; truncated to [MaxMessage] bytes
	Size    int    `event:"size,omitzero"` // size of the whole message in bytes; 0 if Data is complete
}

// MaxMessage is the maximum size of a message in its event.
const MaxMessage = 64 << 10

// Progress is the progress of a step, reported by one of its commands. It is limited to one per
// second and step, and the last report is always included.
type Progress struct {
	fact  `event:"progress"`
	Time  time.Time
	Step  StepID  `event:"step"`
	Value float64 `event:"value"`          // from 0 to 1
	Text  string  `event:"text,omitzero"`  // secrets masked
	Bytes int64   `event:"bytes,omitzero"` // processed bytes; 0 if unknown
	// Stage is set instead of the other fields by weft itself: what it does for the step with a shared
	// cache, or with a server that runs it. "" is a report of a command.
	Stage Stage `event:"stage,omitzero"`
}

// Stage is a part of the life of a step beside its commands.
type Stage string

const (
	Lookup    Stage = "lookup"   // its result is looked up
	Download  Stage = "download" // its result was found, and is fetched
	Upload    Stage = "upload"   // its result is stored, behind the run; or its inputs are sent
	Queued    Stage = "queued"   // it waits for a worker
	Executing Stage = "running"  // a worker runs it
)
