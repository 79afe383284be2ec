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

// usage returns the text for --help and for wrong flags.
func (a *app) usage() string { return strings.ReplaceAll(weftUsage, "weft", a.name) }

const weftUsage = `Usage: weft [flags] [task | NAME=value]... [-- arguments]

Runs tasks of the Taskfile.yml in this directory or the nearest one above it;
without a name, the task "default". The arguments after -- are {{.CLI_ARGS}}.

What to do
  (none of these)             run the tasks
  -l, --list                  list the tasks that have a description
  -a, --list-all              list all tasks
  -j, --json                  with a list or a query: print JSON
      --schema NAME           print the JSON Schema of an answer, of events, of Taskfiles
      --no-status, --nested   in JSON: leave out up_to_date; group by namespace
      --sort ORDER            default, alphanumeric or none
      --summary               describe tasks
      --status                exit with 1 if a task is not up to date
      --why                   show why tasks would run
      --audit [--fix]         run tasks under strace, and show what they use without
                              declaring it; --fix: print the sources to add
      --graph[=FORMAT]        show the plan as tree, dot, mermaid, json or html
      --affected[=REV]        list the tasks that changes since a git revision affect;
                              without REV: since this branch left the main one
      --run                   with --affected: run these tasks
      --shard I/N             select the I-th of N parts of the named or affected tasks
      --shard-by FILE         make these parts equally long, by the run in FILE
      --check                 find mistakes without running anything; with --remote: also
                              connect to the servers, and show which tasks they run
      --cache=ls [TASK]...    list what the cache has of this project; =rm TASK... removes it
      --cache=push [TASK]...  store results in the cache that a team shares
      --cache=gc, =verify     make the cache smaller; find and remove damaged entries
      --cache=serve [-- F]    run a cache server for a team; -- --help shows its flags
      --history [TASK]...     list the last runs, or those that ran TASK
      --history=N [STEP]      show a run (N, last, last-1), or the output of a step
      --history=diff [A B], =slowest, =flaky
                              compare two runs; list slow or flaky steps
      --rerun-failed[=N]      run the last failed run, or run N, again, without the tasks
                              that succeeded in it and have the same sources
      --replay N|FILE         show a recorded run (N or last), or the events in FILE,
                              in the style of -o
      --ps                    show the active runs and their processes
      --stop [RUN[/TASK]]     stop a run, named as --ps shows it, or a task; default: the only run
      --detach [TASK]...      run in a session of its own; return when all is up or done
      --logs[=RUN[/TASK]]     show the output of a run or a task; --follow: also new output
      --tui [TASK]...         run on the whole screen
      --attach [RUN]          show an active run on the whole screen
      --restart, --start RUN/TASK
                              restart a service; run a task in an active run
      --send RUN/TASK -- TEXT send a line to a task with stdin: route
      --wait[=ready] [RUN]    wait until a run is done; =ready: until all is up or done
      --reap[=all] [RUN]...   end processes left by killed runs; =all: daemons too
  -i, --init [PATH]           write a first Taskfile.yml
      --completion SHELL      print completions for bash, zsh, fish, powershell, nu
      --experiments           list experiments
      --version, -h, --help
Of these only --audit, --rerun-failed, --detach, --tui, --start and --run run tasks.
--status, --why, --graph, --affected and --dry run the commands of variables (sh) and of if;
--status and --why also those of status.

Where
  -d, --dir DIR               start in this directory
  -t, --taskfile PATH         use this file, directory, a URL, or - for standard input
  -g, --global                use the Taskfile of the home directory
      --temp-dir DIR          keep state in this directory instead of .weft

How
  -p, --parallel              run the named tasks at the same time
  -C, --concurrency N         run at most N tasks at the same time
  -F, --failfast              stop everything at the first failure
  -k, --keep-going            continue with the next named task after a failure
  -f, --force                 run even if up to date
      --force-all             with experiment GENTLE_FORCE: also needs and called tasks
      --no-cache              restore nothing from the cache, put nothing into it
      --remote[=MODE]         run tasks with remote on the server: auto, strict or off; here: in an
                              empty directory with their sources alone
      --remote-download WHAT  fetch outputs of tasks there: all, toplevel (of the named tasks) or
                              none; others when they are needed here
      --remote-jobs N         run at most N tasks on the server at the same time
      --refresh               restore nothing from the cache
  -n, --dry                   only show the commands
  -x, --exit-code             exit with the exit code of the failed command
  -y, --yes                   answer every prompt with yes
      --interactive           prompt for missing required variables
  -w, --watch                 run again when files change
  -I, --interval D            with --watch: wait this long for more changes
      --poll D                with --watch: check at this interval, without system events
      --clear                 with --watch: clear the screen before each run

What is shown
  -o, --output STYLE          interleaved, group, prefixed or keep-order
      --output-group-begin T, --output-group-end T, --output-group-error-only
  -s, --silent                do not show commands
  -v, --verbose               show more
  -c, --color[=false]         force colours, or none
      --disable-fuzzy         no "did you mean"
      --progress HOW          how running steps are shown on a terminal: auto,
                              line, plain or off
      --events FILE           write events as JSON lines; FILE, - or fd:N
      --ui[=PORT]             serve a live page of the run for a browser on this machine
      --notify[=D]            notify at the end of a run that took D (10s) or more
      --ci SYSTEM             format for its log: github, gitlab, azure, teamcity, buildkite,
                              jenkins, other; off, auto
      --record                record all output in the events, in every style
      --report KIND=FILE      write a report of the run: junit, trace, html or markdown
      --compare RUN           with html: compare with this run, not with the last one
      --timings               show the slowest tasks at the end
      --timestamps            show the time since the start before each line

Taskfiles of other machines (URLs)
      --expiry D              use a copy for this long without asking its server
      --offline, --download   use only copies; fetch all again
      --clear-cache           remove the copies, and do nothing else
      --remote-cache-dir DIR  directory of the copies
      --timeout D             time limit for each file (10s)
      --trusted-hosts LIST    hosts whose files need no consent
      --pin                   write their checksums into your Taskfiles
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
