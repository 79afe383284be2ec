package command

import (
	"errors"
	"testing"
	"time"

	"github.com/weftrun/weft/engine/plan"
	"github.com/weftrun/weft/engine/shell"
)

func TestNameLimit(t *testing.T) {
	limits := &plan.Limits{Memory: 512 << 20, CPUTime: time.Minute}
	for _, test := range []struct {
		err         error
		limits      *plan.Limits
		outOfMemory bool
		want        string
	}{
		{&shell.ExitError{Code: 137}, limits, true, "killed by SIGKILL, out of memory: limit 512 MiB"},
		{&shell.ExitError{Code: 1}, limits, true, "exit status 1, after a process was killed, out of memory: limit 512 MiB"},
		{&shell.ExitError{Code: 137}, limits, false, "exit status 137"},
		{&shell.ExitError{Code: 152}, limits, false, "killed by SIGXCPU: limit cpu_time 1m0s"},
		{&shell.ExitError{Code: 152}, &plan.Limits{Files: 9}, false, "exit status 152"},
		{errors.New("other"), limits, true, "other"},
		{&shell.ExitError{Code: 137}, &plan.Limits{Memory: 3 << 30}, true, "killed by SIGKILL, out of memory: limit 3 GiB"},
		{&shell.ExitError{Code: 137}, &plan.Limits{Memory: 5 << 10}, true, "killed by SIGKILL, out of memory: limit 5 KiB"},
		{&shell.ExitError{Code: 137}, &plan.Limits{Memory: 500_000_000}, true, "killed by SIGKILL, out of memory: limit 500000000 bytes"},
	} {
		if nameLimit(test.err, test.limits, test.outOfMemory); test.err.Error() != test.want {
			t.Errorf("got %q, want %q", test.err, test.want)
		}
	}
}
