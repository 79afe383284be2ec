//go:build linux && (amd64 || arm64)

package proc

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weftrun/weft/engine/keeper"
)

// wire returns s as KEEPER is sent it.
func (s *Setup) wire() *keeper.Setup {
	w := &keeper.Setup{ListenPID: s.ListenPID, User: s.User}
	l := &s.Limits
	limit := func(resource uint32, soft, hard uint64) {
		w.Limits = append(w.Limits, keeper.Limit{Resource: resource, Soft: soft, Hard: hard})
	}
	for _, r := range [...]struct {
		resource uint32
		value    int64
	}{{unix.RLIMIT_AS, l.Memory}, {unix.RLIMIT_NOFILE, l.Files}, {unix.RLIMIT_NPROC, l.Processes}} {
		if r.value > 0 {
			limit(r.resource, uint64(r.value), uint64(r.value))
		}
	}
	if l.CPUTime > 0 {
		seconds := uint64((l.CPUTime + time.Second - 1) / time.Second)
		limit(unix.RLIMIT_CPU, seconds, seconds+1)
	}
	if l.Core != nil {
		limit(unix.RLIMIT_CORE, uint64(*l.Core), uint64(*l.Core))
	}
	if l.Nice != nil {
		n := int32(*l.Nice)
		w.Nice = &n
	}
	return w
}

// steps are the names of the stages of a set-up, for errors.
var steps = [...]string{
	keeper.StageCgroup: "join the control group", keeper.StageNice: "set priority", keeper.StageListenPID: "set LISTEN_PID",
	keeper.StageGroups: "set supplementary groups", keeper.StageGID: "set group", keeper.StageUID: "set user",
	keeper.StageLimit + unix.RLIMIT_AS: "limit memory", keeper.StageLimit + unix.RLIMIT_NOFILE: "limit open files",
	keeper.StageLimit + unix.RLIMIT_NPROC: "limit processes", keeper.StageLimit + unix.RLIMIT_CPU: "limit processor time",
	keeper.StageLimit + unix.RLIMIT_CORE: "limit core dumps",
}

// startFailure returns why a program did not start.
func startFailure(r *keeper.Report) error {
	errno := syscall.Errno(r.Errno)
	if r.Stage == keeper.StageExec || int(r.Stage) >= len(steps) {
		return errno
	}
	failed, hint := &SetupError{Step: steps[r.Stage], Err: errno}, ""
	switch identity := r.Stage >= keeper.StageGroups && r.Stage < keeper.StageLimit; {
	case r.Stage >= keeper.StageLimit && errno == syscall.EPERM:
		hint = "it exceeds weft's own hard limit (ulimit -H)"
	case identity && errno == syscall.EPERM:
		hint = "weft lacks CAP_SETUID or CAP_SETGID, or its user namespace forbids it"
	case identity && errno == syscall.EINVAL:
		hint = "weft's user namespace does not have this ID"
	}
	if hint != "" {
		failed.Err = fmt.Errorf("%w: %s", error(errno), hint)
	}
	return failed
}
