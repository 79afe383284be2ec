package keeper

// The two sides exchange datagrams. Numbers are little-endian; texts end with a
// zero byte, so that KEEPER can hand them to the kernel where they stand.

// Requests, by first byte.
const (
	reqStart   = 'S'
	reqEnviron = 'E'
	reqSignal  = 'K'
	reqMembers = 'Q'
	reqPids    = 'P'
	reqEnd     = 'X'
	reqFinish  = 'F'
)

// Reports, by first byte.
const (
	RepStarted   = 's'
	RepFailed    = 'f'
	RepEnded     = 'e'
	RepStopped   = 't'
	RepContinued = 'c'
	RepOrphan    = 'o' // something that was not started on request has ended
	RepMembers   = 'q'
)

// StartFlags of a request to start a program.
type StartFlags uint8

const (
	// WantStarted asks for RepStarted; without it only the end is reported.
	WantStarted StartFlags = 1 << iota
	// Foreground puts the program's process group into the foreground of the
	// terminal before it is a program.
	Foreground
	// Outlives leaves the program alive when KEEPER dies: one that is meant to
	// become a daemon.
	Outlives
	// Spilled tells that the texts are in a file, the last descriptor sent.
	Spilled
	// Session begins a session of its own, with the terminal that is the program's
	// stdout.
	Session
)

// Start is a request to start a program. The files of its descriptors 0, 1 and 2 are
// sent beside it, then those of Further.
type Start struct {
	ID    uint32 // the requester's, for the reports
	Group uint32 // programs of one group share a process group while one of them is there
	Flags StartFlags
	Env   uint32 // place of the base environment, see AppendEnviron
	Path  string
	Dir   string // "" means KEEPER's own
	Argv  []string
	Extra []string // environment beside the base
	// Further are the numbers of its further descriptors, at most MaxFurther.
	Further []int32
}

// MaxFurther is how many descriptors a program may get beside the standard ones.
const MaxFurther = 16

const (
	startFixed = 1 + 1 + 4 + 4 + 4 + 4 + 4
	// MaxMessage is what fits into a datagram; a larger request is spilled.
	MaxMessage = 160 << 10
)

// AppendStart appends the request to b.
func AppendStart(b []byte, s *Start) []byte {
	b = append(b, reqStart, byte(s.Flags))
	b = put32(b, s.ID)
	b = put32(b, s.Group)
	b = put32(b, s.Env)
	b = put32(b, uint32(len(s.Argv)))
	b = put32(b, uint32(len(s.Extra)))
	for _, n := range s.Further {
		b = put32(b, uint32(n))
	}
	b = putText(b, s.Path)
	b = putText(b, s.Dir)
	for _, t := range s.Argv {
		b = putText(b, t)
	}
	for _, t := range s.Extra {
		b = putText(b, t)
	}
	return b
}

// Spill divides a request with this many further descriptors that is too large: head
// is sent, with Spilled set, and a descriptor of a file that holds tail.
func Spill(b []byte, further int) (head, tail []byte) {
	b[1] |= byte(Spilled)
	fixed := startFixed + 4*further
	return b[:fixed], b[fixed:]
}

// Environs is how many base environments KEEPER remembers.
const Environs = 64

// AppendEnviron appends the request to remember env at a place below Environs,
// for the starts that follow.
func AppendEnviron(b []byte, place uint32, env []string) []byte {
	b = append(b, reqEnviron, 0)
	b = put32(b, place)
	b = put32(b, uint32(len(env)))
	for _, t := range env {
		b = putText(b, t)
	}
	return b
}

const environFixed = 1 + 1 + 4 + 4

// SpillEnviron is Spill for an environment.
func SpillEnviron(b []byte) (head, tail []byte) {
	b[1] |= byte(Spilled)
	return b[:environFixed], b[environFixed:]
}

// Scope says which processes a signal is for.
type Scope uint8

const (
	// GroupScope are the process groups of a group.
	GroupScope Scope = iota
	// ProcessScope is one process that was started on request.
	ProcessScope
	// TreeScope are a group's processes and everything that came of them.
	TreeScope
	// BeyondScope is everything below KEEPER that is in no process group of a program
	// that was started on request and lives: what GroupScope does not reach.
	BeyondScope
)

// Signal is a request to send a signal. Processes that have ended are never
// reached: only KEEPER knows which have.
type Signal struct {
	Scope  Scope
	Target uint32 // a group, or for ProcessScope the ID of a start
	Signal uint8
	// Cont sends SIGCONT behind it, so that stopped processes notice.
	Cont bool
	// Only, if not zero, is the one process group that is meant; Skip is one
	// that is not.
	Only, Skip int32
	// Cookie tells processes of the group whose parents are gone from others:
	// an element of their WEFT_STEP_ID. "" leaves them out.
	Cookie string
}

// AppendSignal appends the request to b.
func AppendSignal(b []byte, s *Signal) []byte {
	cont := byte(0)
	if s.Cont {
		cont = 1
	}
	b = append(b, reqSignal, byte(s.Scope), s.Signal, cont)
	b = put32(b, s.Target)
	b = put32(b, uint32(s.Only))
	b = put32(b, uint32(s.Skip))
	return putText(b, s.Cookie)
}

// AppendMembers appends the request for a list of what is alive: of a group, or
// of everything below KEEPER if group is zero.
func AppendMembers(b []byte, seq, group uint32, cookie string) []byte {
	b = append(b, reqMembers)
	b = put32(b, seq)
	b = put32(b, group)
	return putText(b, cookie)
}

// AppendPids appends the request to signal these processes, as far as they are
// still below KEEPER.
func AppendPids(b []byte, signal uint8, pids []int32) []byte {
	b = append(b, reqPids, signal)
	return putPids(b, pids)
}

// AppendFinish appends the request to end if nothing is alive, and else to list
// everything, as AppendMembers does.
func AppendFinish(b []byte, seq uint32) []byte { return put32(append(b, reqFinish), seq) }

// AppendEnd appends the request to end: KEEPER kills everything below it but
// keep, and exits.
func AppendEnd(b []byte, keep []int32) []byte {
	return putPids(append(b, reqEnd, 0), keep)
}

func putPids(b []byte, pids []int32) []byte {
	b = put32(b, uint32(len(pids)))
	for _, p := range pids {
		b = put32(b, uint32(p))
	}
	return b
}

// Report is something KEEPER has to say. Which fields hold depends on Kind.
type Report struct {
	Kind   byte
	ID     uint32
	Pid    int32
	Pgid   int32
	Errno  uint32 // why a start failed
	Status uint32 // wait status of an end; the signal of a stop
	User   uint64 // µs
	Sys    uint64 // µs
	MaxRSS uint64 // KiB
	// Continues is how many requests to continue something had been done when a stop
	// was seen. One that was done later ended the stop, if it was for that program.
	Continues uint32
	// Left tells that the process group has members beyond those started on
	// request, all of which have ended.
	Left bool
	// Members is the answer to AppendMembers with sequence number ID.
	Members []Member
}

// Member is a living process.
type Member struct {
	Pid, Pgid, Sid int32
	// Detached tells that it has a session of its own or was started by nohup:
	// it is meant to stay.
	Detached bool
	// Deaf tells that it ignores SIGHUP. Where KEEPER does, too, that says nothing of
	// nohup.
	Deaf bool
	// Starting tells that it may not be yet what it is about to be: it was made just
	// now, or has not come to run since.
	Starting bool
	Name     string // the kernel's, at most 15 bytes
}

// What is true of a member, in a report.
const (
	isDetached = 1 << iota
	isDeaf
	isStarting
)

const memberName = 16

// ParseReport reads a report; ok is false if it is not one.
func ParseReport(b []byte) (r Report, ok bool) {
	if len(b) < 5 {
		return r, false
	}
	r.Kind, r.ID = b[0], get32(b[1:])
	b = b[5:]
	switch r.Kind {
	case RepStarted:
		if len(b) < 8 {
			return r, false
		}
		r.Pid, r.Pgid = int32(get32(b)), int32(get32(b[4:]))
	case RepFailed:
		if len(b) < 4 {
			return r, false
		}
		r.Errno = get32(b)
	case RepStopped:
		if len(b) < 8 {
			return r, false
		}
		r.Status, r.Continues = get32(b), get32(b[4:])
	case RepEnded:
		if len(b) < 37 {
			return r, false
		}
		r.Pid, r.Pgid, r.Status = int32(get32(b)), int32(get32(b[4:])), get32(b[8:])
		r.User, r.Sys, r.MaxRSS, r.Left = get64(b[12:]), get64(b[20:]), get64(b[28:]), b[36] != 0
	case RepMembers:
		const size = 13 + memberName
		for ; len(b) >= size; b = b[size:] {
			m := Member{Pid: int32(get32(b)), Pgid: int32(get32(b[4:])), Sid: int32(get32(b[8:])), Detached: b[12]&isDetached != 0, Deaf: b[12]&isDeaf != 0, Starting: b[12]&isStarting != 0}
			name := b[13:size]
			for i, c := range name {
				if c == 0 {
					name = name[:i]
					break
				}
			}
			m.Name = string(name)
			r.Members = append(r.Members, m)
		}
	}
	return r, true
}

func put32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

func put64(b []byte, v uint64) []byte { return put32(put32(b, uint32(v)), uint32(v>>32)) }

func get32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func get64(b []byte) uint64 { return uint64(get32(b)) | uint64(get32(b[4:]))<<32 }

func putText(b []byte, s string) []byte { return append(append(b, s...), 0) }
