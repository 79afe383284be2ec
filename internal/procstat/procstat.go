// Package procstat parses /proc/PID/stat. It knows the positions of the fields; its callers read
// the file. It allocates nothing and imports nothing, since one of these is a process without a
// garbage collector.
package procstat

// Stat describes a process. Times are in clock ticks, 100 a second.
type Stat struct {
	Name    []byte // at most 15 bytes, a part of the text
	State   byte   // R, S, D, T, t, Z, X and others, as in ps(1)
	Parent  int32  // 0: one that cannot be seen from here
	Group   int32
	Session int32
	Flags   uint64 // PF_FORKNOEXEC and others
	CPU     uint64 // time spent, in user and system mode
	Started uint64 // time since the start of the machine
}

// Dead reports whether the process has ended and is only waiting to be reaped.
func (s *Stat) Dead() bool { return s.State == 'Z' || s.State == 'X' }

// Parse reads the text of a file. ok is false for a text that is cut short, as of a process that
// has ended.
func Parse(text []byte) (s Stat, ok bool) {
	// A name may hold spaces and parentheses.
	begin, end := 0, len(text)-1
	for begin < len(text) && text[begin] != '(' {
		begin++
	}
	for end > begin && text[end] != ')' {
		end--
	}
	if end <= begin || len(text) < end+3 {
		return Stat{}, false
	}
	s.Name, s.State = text[begin+1:end], text[end+2]
	rest := text[end+3:]
	for field := 4; len(rest) > 1; field++ { // as proc(5) counts them
		number := uint64(0)
		for rest = rest[1:]; len(rest) > 0 && rest[0] != ' '; rest = rest[1:] {
			number = number*10 + uint64(rest[0]-'0') // no field that is used may be negative
		}
		switch field {
		case 4:
			s.Parent = int32(number)
		case 5:
			s.Group = int32(number)
		case 6:
			s.Session = int32(number)
		case 9:
			s.Flags = number
		case 14, 15:
			s.CPU += number
		case 22:
			s.Started = number
			return s, true
		}
	}
	return Stat{}, false
}
