// Package keeper is the process that parents every program of a run: it forks,
// reaps, signals and, when weft is gone, sweeps. It knows requests and process
// ids; it knows nothing of tasks, steps or commands.
//
//	shell ── weft         ENGINE: terminal, prompts, signals; a subreaper
//	          └─ wf-keeper  KEEPER: this package; a subreaper; own process group
//	               ├─ program
//	               └─ program …
//
// KEEPER is weft's own binary, started again under another name. Its package
// initialisation is the whole program: it comes before nearly everything else
// is initialised and never returns. For that the package imports almost
// nothing, and nothing may be imported that waits for children or starts any.
//
// # Why a process of its own
//
// Whoever dies by SIGKILL cannot clean up; somebody else must. A process that
// is left by its parent moves to the nearest living subreaper above. So if
// ENGINE dies, the control socket ends, and KEEPER kills its children, and what
// they leave, until the kernel says that there are none (ECHILD): that is the
// proof. If KEEPER dies, all of it moves up to ENGINE, which does the same.
//
// # Two threads
//
// One thread reads requests and makes children, the other waits for children and
// reports what became of them. Both stay in raw system calls: the Go scheduler is
// not involved in starting a program, and neither thread waits for an exec.
// Measured against forking in-process, a keeper in ordinary Go cost 35 % of a
// short program's wall time; this way costs nothing that can be told from noise
// when programs run side by side, and 2 % when each waits for the one before.
// When no request comes both go over to waits that the runtime knows of, so that
// all of KEEPER sleeps beside a program that runs for long (see rest).
// The price is that nothing here may make garbage in the long run: the collector,
// which would wait for both threads for ever, is off (see Environ).
package keeper

// Name is KEEPER's argv[0] and its name in lists of processes, so that
// `pkill weft` reaches ENGINE alone.
const Name = "wf-keeper"

// Control is the descriptor of the control socket in KEEPER: one end of a
// SOCK_SEQPACKET pair.
const Control = 3

// Terminal is the descriptor of the controlling terminal in KEEPER, if ENGINE
// has one; the same number as Control + 1.
const Terminal = 4

// Environ is the environment KEEPER itself must be started with. What programs
// get comes with the requests.
func Environ() []string {
	return []string{"GOGC=off", "GOMAXPROCS=2", "GODEBUG=asyncpreemptoff=1"}
}
