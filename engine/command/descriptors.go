package command

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/weftrun/weft/engine/proc"
	"github.com/weftrun/weft/engine/shell"
)

// inherited are the files that the programs of a command inherit besides the standard streams. The
// zero value is none. Whoever opened the files owns them, and may close them once the programs have
// been started.
type inherited struct {
	sockets []*os.File // listening sockets of a service; they come first, as in sd_listen_fds(3)
	names   []string   // of the sockets
	ready   *os.File   // where `ready: {fd}` is written, as the descriptor readyFD
	readyFD int
	channel *os.File // the programs' end of `ipc`
}

// number returns the files with their descriptor numbers: the sockets from 3 on, then the one that
// `ready: {fd}` names, and the channel at the lowest free number, which it returns, too; 0 if there
// is no channel.
func (in *inherited) number() (files []proc.Descriptor, channel int) {
	for i, f := range in.sockets {
		files = append(files, proc.Descriptor{Number: firstDescriptor + i, File: f})
	}
	if in.ready != nil {
		files = append(files, proc.Descriptor{Number: in.readyFD, File: in.ready})
	}
	if in.channel == nil {
		return files, 0
	}
	channel = firstDescriptor
	for slices.ContainsFunc(files, func(d proc.Descriptor) bool { return d.Number == channel }) {
		channel++
	}
	return append(files, proc.Descriptor{Number: channel, File: in.channel}), channel
}

// give lets all programs of a script inherit the files, and describes the sockets in their
// environment as sd_listen_fds(3) does, with the process ID of each program. It returns the number
// of the channel; 0 if there is none.
func (in *inherited) give(sc *shell.Script) (channel int) {
	sc.Descriptors, channel = in.number()
	if len(in.sockets) == 0 {
		return channel
	}
	sc.Extra = append(slices.Clip(sc.Extra), "LISTEN_FDS="+strconv.Itoa(len(in.sockets)), "LISTEN_FDNAMES="+strings.Join(in.names, ":"))
	setup := proc.Setup{}
	if sc.Setup != nil {
		setup = *sc.Setup
	}
	setup.ListenPID = true
	sc.Setup = &setup
	return channel
}

// firstDescriptor is the lowest number of a file that is not a standard stream.
const firstDescriptor = 3
