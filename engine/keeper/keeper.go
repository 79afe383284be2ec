// Package keeper is the process that is the parent of every program of a run: it starts,
// signals and reaps them, and kills them if weft has ended. It knows requests and process
// ids; it knows nothing of tasks, steps or commands.
//
//	shell ── weft         ENGINE: terminal, prompts, signals; a subreaper
//	          └─ wf-keeper  KEEPER: this package; a subreaper; own process group
//	               ├─ program
//	               └─ program …
//
// KEEPER is weft's own binary, started under another name. The initialisation of this
// package is its whole program: it runs before most other packages are initialised, and
// never returns. Therefore the package imports almost nothing, and must not import anything
// that starts children or waits for them.
//
// # Why a separate process
//
// A process that is killed by SIGKILL cannot clean up; another one must. When a process
// ends, its children move to the nearest living subreaper above it. If ENGINE dies, the
// control socket is closed, and KEEPER kills its children, and the orphans that become its
// children, until the kernel reports that it has none (ECHILD). If KEEPER dies, its children
// move to ENGINE, which does the same.
//
// # Two threads
//
// One thread reads requests and makes children, the other waits for children and sends
// reports. Both stay in raw system calls: the Go scheduler is not involved in starting a
// program, and neither thread waits for an exec. Compared with forking in ENGINE, a keeper
// in ordinary Go cost 35 % of a short program's wall time; this one costs nothing that can
// be distinguished from noise when programs run side by side, and 2 % when they run one
// after the other. When no requests come, both threads use waits that the runtime knows of,
// so that KEEPER sleeps while a program runs for long (see idle), and raw ones return now and
// then (see rawCall). In exchange, nothing here may produce garbage in the long run: the
// collector, which would wait for both threads forever, is off (see Environ).
package keeper

// Name is KEEPER's argv[0], and its name in lists of processes: `pkill weft` signals only
// ENGINE.
const Name = "wf-keeper"

// Control is the descriptor of the control socket in KEEPER: one end of a
// SOCK_SEQPACKET pair.
const Control = 3

// Terminal is the descriptor of the controlling terminal in KEEPER, if ENGINE has one. It is
// Control + 1.
const Terminal = 4

// Environ returns the environment that KEEPER itself must be started with. Requests carry
// the environments of programs.
func Environ() []string {
	return []string{"GOGC=off", "GOMAXPROCS=2"}
}
