package command

import (
	"os"
	"slices"
	"sort"
	"sync"

	"github.com/weftrun/weft/engine/event"
	"github.com/weftrun/weft/engine/proc"
)

// DirectOutput registers what commands have as their standard output that does not go through weft:
// files, and pipes to other programs. Whoever wants to know how much was written there asks from
// time to time; commands do nothing for it. The zero value is ready to use; nil registers
// nothing. It is safe for concurrent use, except for Each.
type DirectOutput struct {
	mu   sync.Mutex // guards outs
	outs []*written
}

// written is the standard output of one command, and how much was written there so far.
type written struct {
	step event.StepID
	run  *proc.Table // which knows the processes of the step
	file *os.File    // nil: a pipe
	size int64       // of the file before

	pipe  string        // as /proc names it
	bytes map[int]int64 // by process
}

// add registers f as the output of a step. It returns nil if f is neither a file nor a pipe.
func (w *DirectOutput) add(s *step, f *os.File) *written {
	if w == nil || f == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return nil
	}
	o := &written{step: s.ID, run: s.o.Processes}
	switch {
	case info.Mode().IsRegular():
		o.file, o.size = f, info.Size()
	case info.Mode()&os.ModeNamedPipe != 0:
		o.pipe, o.bytes = pipeName(info), map[int]int64{}
	default:
		return nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outs = append(w.outs, o)
	return o
}

// remove is called when the command has ended. Nil is nothing.
func (w *DirectOutput) remove(o *written) {
	if o == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.outs = slices.DeleteFunc(w.outs, func(other *written) bool { return other == o })
}

// Each calls f with each step that has such an output, and the number of bytes that it has written
// there: of several outputs that with the most. What a program wrote to a pipe since the call before
// its end is not known. It must not be called concurrently.
func (w *DirectOutput) Each(f func(step event.StepID, bytes int64)) {
	w.mu.Lock()
	outs := slices.Clone(w.outs)
	w.mu.Unlock()
	sort.SliceStable(outs, func(i, j int) bool { return outs[i].step < outs[j].step })
	var members []proc.Member
	for i, most := 0, int64(0); i < len(outs); i++ {
		o := outs[i]
		if first := i == 0 || outs[i-1].step != o.step; first {
			members, most = nil, 0
		}
		if o.file == nil && members == nil {
			members = o.run.Members(int(o.step))
		}
		most = max(most, o.sample(members))
		if last := i == len(outs)-1 || outs[i+1].step != o.step; last {
			f(o.step, most)
		}
	}
}

// sample returns how much was written. members are the processes of the step.
func (o *written) sample(members []proc.Member) (sum int64) {
	if o.file != nil {
		if info, err := o.file.Stat(); err == nil {
			sum = max(info.Size()-o.size, 0)
		}
		return sum
	}
	for _, m := range members {
		if n, writes := writtenBy(m.Pid, o.pipe); writes {
			o.bytes[m.Pid] = max(o.bytes[m.Pid], n)
		}
	}
	for _, n := range o.bytes {
		sum += n
	}
	return sum
}
