package keeper

// ENGINE and KEEPER exchange datagrams. Numbers are little-endian. Texts end with a zero
// byte, so that KEEPER can pass them to the kernel in place.

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
	RepOrphan    = 'o' // a process that ENGINE did not start has ended
	RepMembers   = 'q'
)

// StartFlags of a request to start a program.
type StartFlags uint8

const (
	// WantStarted requests RepStarted; without it only the end is reported.
	WantStarted StartFlags = 1 << iota
	// Foreground moves the program's process group to the terminal's foreground before
	// exec.
	Foreground
	// Outlives keeps the program alive when KEEPER dies. It is for daemons.
	Outlives
	// Spilled means that the texts are in a file, whose descriptor is sent last.
	Spilled
	// Session starts a session, whose controlling terminal is the program's stdout.
	Session
	// HasSetup means that a set-up follows the texts.
	HasSetup
	// InCgroup means that the child joins a control group, the file cgroup.procs of which is
	// sent after the further descriptors.
	InCgroup
)

// Start is a request to start a program. The files of its descriptors 0, 1 and 2 are sent
// with it, followed by those of Further.
type Start struct {
	ID    uint32 // chosen by ENGINE, and repeated in reports
	Group uint32 // a program joins the process group of a running program of its group
	Flags StartFlags
	Env   uint32 // place of the base environment, see AppendEnviron
	Path  string
	Dir   string // "" means KEEPER's own
	Argv  []string
	Extra []string // environment in addition to the base
	// Descriptors are the numbers of further descriptors, at most MaxDescriptors.
	Descriptors []int32
	Setup       *Setup // nil means none
}

// MaxDescriptors is the maximum number of descriptors in addition to the standard ones.
const MaxDescriptors = 16

const (
	startFixed = 1 + 1 + 4 + 4 + 4 + 4 + 4
	// MaxMessage is the size of the largest datagram, in bytes. A larger request is
	// spilled.
	MaxMessage = 160 << 10
)

// AppendStart appends the request to b.
func AppendStart(b []byte, s *Start) []byte {
	flags := s.Flags
	if s.Setup != nil {
		flags |= HasSetup
	}
	b = append(b, reqStart, byte(flags))
	b = put32(b, s.ID, s.Group, s.Env, uint32(len(s.Argv)), uint32(len(s.Extra)))
	for _, n := range s.Descriptors {
		b = put32(b, uint32(n))
	}
	b = putTexts(putTexts(putText(putText(b, s.Path), s.Dir), s.Argv), s.Extra)
	if s.Setup != nil {
		b = appendSetup(b, s.Setup)
	}
	return b
}

// Spill divides a start request that is too large, and sets Spilled. head is the datagram;
// a file with tail is sent with it. further is the number of further descriptors.
func Spill(b []byte, further int) (head, tail []byte) {
	b[1] |= byte(Spilled)
	fixed := startFixed + 4*further
	return b[:fixed], b[fixed:]
}

// MaxEnvirons is the number of base environments that KEEPER stores.
const MaxEnvirons = 64

// AppendEnviron appends the request to remember env at a place below Environs, for later
// starts.
func AppendEnviron(b []byte, place uint32, env []string) []byte {
	b = append(b, reqEnviron, 0)
	return putTexts(put32(b, place, uint32(len(env))), env)
}

const environFixed = 1 + 1 + 4 + 4

// SpillEnviron is Spill for an environment.
func SpillEnviron(b []byte) (head, tail []byte) {
	b[1] |= byte(Spilled)
	return b[:environFixed], b[environFixed:]
}

// Scope selects the processes to signal.
type Scope uint8

const (
	// GroupScope means the process groups of a group.
	GroupScope Scope = iota
	// ProcessScope means one program.
	ProcessScope
	// TreeScope means a group's processes and all their descendants.
	TreeScope
	// OutsideScope means all processes below KEEPER that are in no process group of a
	// running program: those that no GroupScope includes.
	OutsideScope
)

// Signal is a request to send a signal. A process that has ended is never signalled, even if its
// process id is reused.
type Signal struct {
	Scope  Scope
	Target uint32 // a group, or for ProcessScope the ID of a start
	Signal uint8
	// Cont sends SIGCONT after the signal, so that stopped processes react.
	Cont bool
	// Only, if not 0, is the only process group to signal; Skip is one to leave out.
	Only, Skip int32
	// Cookie identifies processes of the group whose parents have ended: it is an element
	// of their WEFT_STEP_ID. "" leaves them out.
	Cookie string
}

// AppendSignal appends the request to b.
func AppendSignal(b []byte, s *Signal) []byte {
	cont := byte(0)
	if s.Cont {
		cont = 1
	}
	b = append(b, reqSignal, byte(s.Scope), s.Signal, cont)
	b = put32(b, s.Target, uint32(s.Only), uint32(s.Skip))
	return putText(b, s.Cookie)
}

// AppendMembers appends the request to list the living processes of a group, or all below
// KEEPER if group is 0.
func AppendMembers(b []byte, seq, group uint32, cookie string) []byte {
	return putText(put32(append(b, reqMembers), seq, group), cookie)
}

// AppendPids appends the request to signal those of the processes that are still below
// KEEPER.
func AppendPids(b []byte, signal uint8, pids []int32) []byte {
	return putPids(append(b, reqPids, signal), pids)
}

// AppendFinish appends the request to exit if there are no children, and to list all
// processes, as for AppendMembers, otherwise.
func AppendFinish(b []byte, seq uint32) []byte { return put32(append(b, reqFinish), seq) }

// AppendEnd appends the request to kill all processes below KEEPER except keep, and exit.
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

// Report is a message from KEEPER. The Kind determines which fields are set.
type Report struct {
	Kind   byte
	ID     uint32
	Pid    int32
	Pgid   int32
	Errno  uint32 // why a start failed
	Stage  Stage  // of the start that failed
	Status uint32 // wait status of an end; the signal of a stop
	User   uint64 // µs
	Sys    uint64 // µs
	MaxRSS uint64 // KiB
	// Continues is the number of signals that had continued programs before a stop was noticed.
	Continues uint32
	// HasLeftovers means that the process group still has members, although all its
	// programs have ended.
	HasLeftovers bool
	// Members is the answer to the request with the number ID.
	Members []Member
}

// Member is a living process.
type Member struct {
	Pid, Pgid, Sid int32
	// Detached means that it is a daemon: it has a session of its own, or was started by
	// nohup.
	Detached bool
	// IgnoresHangup means that it ignores SIGHUP. If KEEPER does, too, that is no sign of
	// nohup.
	IgnoresHangup bool
	// Starting means that it was made just now, or has hardly run since, and so may yet
	// become a daemon.
	Starting bool
	Name     string // as the kernel has it, at most 15 bytes
}

// Flags of a member in a report.
const (
	isDetached = 1 << iota
	hasHangupIgnored
	isStarting
)

const memberName = 16

// reportSizes are the least sizes of the reports, without kind and ID.
var reportSizes = [256]int{RepStarted: 8, RepFailed: 5, RepStopped: 8, RepEnded: 37}

// ParseReport reads a report. ok is false if b is not a report.
func ParseReport(b []byte) (r Report, ok bool) {
	if len(b) < 5 {
		return r, false
	}
	r.Kind, r.ID = b[0], get32(b[1:])
	if b = b[5:]; len(b) < reportSizes[r.Kind] {
		return r, false
	}
	switch r.Kind {
	case RepStarted:
		r.Pid, r.Pgid = int32(get32(b)), int32(get32(b[4:]))
	case RepFailed:
		r.Errno, r.Stage = get32(b), Stage(b[4])
	case RepStopped:
		r.Status, r.Continues = get32(b), get32(b[4:])
	case RepEnded:
		r.Pid, r.Pgid, r.Status = int32(get32(b)), int32(get32(b[4:])), get32(b[8:])
		r.User, r.Sys, r.MaxRSS, r.HasLeftovers = get64(b[12:]), get64(b[20:]), get64(b[28:]), b[36] != 0
	case RepMembers:
		const size = 13 + memberName
		for ; len(b) >= size; b = b[size:] {
			m := Member{Pid: int32(get32(b)), Pgid: int32(get32(b[4:])), Sid: int32(get32(b[8:])), Detached: b[12]&isDetached != 0, IgnoresHangup: b[12]&hasHangupIgnored != 0, Starting: b[12]&isStarting != 0}
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

//go:noinline
func put32(b []byte, vs ...uint32) []byte {
	for _, v := range vs {
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
	}
	return b
}

func put64(b []byte, v uint64) []byte { return put32(b, uint32(v), uint32(v>>32)) }

func get32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func get64(b []byte) uint64 { return uint64(get32(b)) | uint64(get32(b[4:]))<<32 }

//go:noinline
func putTexts(b []byte, texts []string) []byte {
	for _, t := range texts {
		b = putText(b, t)
	}
	return b
}

//go:noinline
func putText(b []byte, s string) []byte { return append(append(b, s...), 0) }
