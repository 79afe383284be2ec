package main

import (
	"strings"

	"github.com/weftrun/weft/internal/version"
	"github.com/weftrun/weft/schema"
)

// help handles --help. The drop-in writes to standard error, as the reference does.
func (a *app) help() int {
	w := a.out
	if a.dropIn() {
		w = a.err
	}
	w.Show(a.usage())
	return 0
}

// usage returns the text that is shown for --help, and for a wrong flag.
func (a *app) usage() string { return strings.ReplaceAll(weftUsage, "weft", a.name) }

const weftUsage = `Usage: weft [flags] [task | NAME=value]... [-- arguments]

Runs tasks of the Taskfile.yml in this directory or the nearest one above it;
without a name, the task "default". What follows -- is {{.CLI_ARGS}}.

What to do
  (nothing of these)          run the tasks
  -l, --list                  list the tasks that have a description
  -a, --list-all              list all tasks
  -j, --json                  with --list, --list-all or --why: as JSON
      --no-status, --nested   in JSON: leave out up_to_date; group by namespace
      --sort ORDER            default, alphanumeric or none
      --summary               describe tasks
      --status                exit 1 if one of the tasks is not up to date
      --why                   tell why tasks would run
      --graph[=FORMAT]        show the plan as tree, dot, mermaid or json
      --check                 find every mistake that shows without running
      --replay FILE           show a run that --events recorded, in the style of -o
      --ps                    show the runs that go on, and their processes
      --stop [RUN]            stop a run, named as --ps shows it, or the only one
      --reap[=all] [RUN]...   end what runs that were killed left; =all: daemons too
  -i, --init [PATH]           write a first Taskfile.yml
      --completion SHELL      print completions for bash, zsh, fish, powershell, nu
      --experiments           list experiments
      --version, -h, --help
Of these only --status, --why and --graph run anything, as --dry does: the
commands of variables (sh), if, and of --status and --why also status.

Where
  -d, --dir DIR               start there instead of here
  -t, --taskfile PATH         a file, a directory, a URL, or - for standard input
  -g, --global                the Taskfile of the home directory
      --temp-dir DIR          keep state there instead of in .weft

How
  -p, --parallel              the tasks named at once
  -C, --concurrency N         at most N tasks at a time
  -F, --failfast              stop everything at the first failure
  -k, --keep-going            go on with the next task named after a failure
  -f, --force                 run although up to date
      --force-all             with experiment GENTLE_FORCE: what is called too
  -n, --dry                   only show the commands
  -x, --exit-code             exit with the code of the command that failed
  -y, --yes                   answer every prompt with yes
      --interactive           ask for required variables that are missing
  -w, --watch                 run again when files change
  -I, --interval D            with --watch: wait so long for more changes
      --poll D                with --watch: look so often, instead of being told
      --clear                 with --watch: clear the screen before each run

What is shown
  -o, --output STYLE          interleaved, group or prefixed
      --output-group-begin T, --output-group-end T, --output-group-error-only
  -s, --silent                do not show commands
  -v, --verbose               show more
  -c, --color[=false]         force colours, or none
      --disable-fuzzy         no "did you mean"
      --events FILE           write what happens as JSON lines; FILE, - or fd:N
      --record                have what commands write in there, in every style

Taskfiles of other machines (URLs)
      --expiry D              use a copy for so long without asking its server
      --offline, --download   use copies only; fetch all again
      --clear-cache           remove the copies, and do nothing else
      --remote-cache-dir DIR  keep copies there
      --timeout D             time limit for each file (10s)
      --trusted-hosts LIST    hosts whose files need no consent
      --pin                   write checksums where such files are included
      --insecure              allow http:
      --cacert F, --cert F, --cert-key F
`

// version handles --version. The drop-in shows the version of the format, weft its own.
func (a *app) version() int {
	if a.dropIn() {
		a.out.Show(schema.FormatVersion + "\n")
	} else {
		a.out.Show(version.Module() + linkage + "\n")
	}
	return 0
}
