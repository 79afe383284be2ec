package keeper

// Setup is the individual set-up of a child before its exec. The zero value is nothing.
type Setup struct {
	Limits []Limit
	Nice   *int32 // the priority; nil means KEEPER's own
	// ListenPID gives the program a variable LISTEN_PID with its own process id, in place
	// of any other.
	ListenPID bool
	User      *User // identity of the program; nil means KEEPER's own
}

// Limit is a resource limit, with a number of setrlimit(2).
type Limit struct {
	Resource   uint32
	Soft, Hard uint64
}

// User is the identity of a program.
type User struct {
	UID, GID uint32
	Groups   []uint32 // the supplementary groups, at most MaxGroups
}

const (
	// MaxLimits is the maximum number of limits.
	MaxLimits = 8
	// MaxGroups is the maximum number of supplementary groups on Linux.
	MaxGroups = 1 << 16
)

// Stage is the step of a start that has failed.
type Stage uint8

const (
	StageExec Stage = iota // everything that every child does
	StageCgroup
	StageNice
	StageListenPID
	StageGroups
	StageGID
	StageUID
	// StageLimit plus the number of a resource is the limit of that.
	StageLimit
)

// Parts of a set-up in a request.
const (
	setupNice = 1 << iota
	setupListenPID
	setupUser
)

const limitSize = 4 + 8 + 8

// appendSetup appends s to a request.
func appendSetup(b []byte, s *Setup) []byte {
	parts := byte(0)
	var nice int32
	if s.Nice != nil {
		parts, nice = parts|setupNice, *s.Nice
	}
	if s.ListenPID {
		parts |= setupListenPID
	}
	if s.User != nil {
		parts |= setupUser
	}
	b = put32(append(b, parts, byte(len(s.Limits))), uint32(nice))
	for _, l := range s.Limits {
		b = put64(put64(put32(b, l.Resource), l.Soft), l.Hard)
	}
	if u := s.User; u != nil {
		b = put32(put32(b, u.UID, u.GID, uint32(len(u.Groups))), u.Groups...)
	}
	return b
}
