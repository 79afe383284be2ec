package main

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/weftrun/weft/cmd/weft/report"
	"github.com/weftrun/weft/engine/vars"
	"github.com/weftrun/weft/schema"
)

// experiments enables experimental parts of the format: by TASK_X_NAME in the .env file of
// the start directory or in the environment, or else by the settings.
func (a *app) experiments(rc *schema.Settings) {
	file := a.dotenvExperiments()
	value := func(name string) int {
		for _, s := range [...]string{file["TASK_X_"+name], a.env("TASK_X_" + name)} {
			if n, err := strconv.Atoi(s); err == nil && n != 0 {
				return n
			}
		}
		return rc.Experiments[name]
	}
	warn := func(format string, args ...any) {
		a.say(a.err, report.Yellow, fmt.Sprintf(format, args...))
	}
	for _, x := range [...]struct {
		name string
		on   *bool
	}{{"GENTLE_FORCE", &a.opts.gentleForce}, {"ENV_PRECEDENCE", &a.opts.envFirst}} {
		switch v := value(x.name); v {
		case 0:
		case 1:
			*x.on = true
		default:
			warn("Experiment %q has an invalid value %d (allowed values: 1)", x.name, v)
		}
	}
	for _, name := range [...]string{"ANY_VARIABLES", "MAP_VARIABLES", "REMOTE_TASKFILES"} {
		if value(name) != 0 {
			warn("Experiment %q is released and no longer needs to be enabled", name)
		}
	}
}

// dotenvExperiments reads the .env file of the start directory, if there is one.
func (a *app) dotenvExperiments() map[string]string {
	path := filepath.Join(a.startDir(), ".env")
	values, err := vars.ReadDotenv(context.Background(), path, path)
	if err != nil {
		return nil
	}
	return values
}

// listExperiments handles --experiments.
func (a *app) listExperiments() int {
	for _, x := range [...]struct {
		name, pad string
		on        bool
	}{{"GENTLE_FORCE", ":   ", a.opts.gentleForce}, {"ENV_PRECEDENCE", ": ", a.opts.envFirst}} {
		state := "off"
		if x.on {
			state = "on (1)"
		}
		p := &a.palette
		b := p.Append(nil, report.Yellow, "* ")
		b = p.Append(b, report.Green, x.name)
		a.out.Write(p.Append(b, report.Default, x.pad+state+"\n"))
	}
	return 0
}

// coreUtils reports whether cp, rm and the like are built into the shell.
func (a *app) coreUtils() bool {
	on, err := strconv.ParseBool(a.env("TASK_CORE_UTILS"))
	return runtime.GOOS == "windows" && (on || err != nil)
}

// warnCoreUtils warns that a setting has no effect here.
func (a *app) warnCoreUtils() {
	if on, _ := strconv.ParseBool(a.env("TASK_CORE_UTILS")); on && runtime.GOOS != "windows" {
		a.say(a.err, report.Yellow, "TASK_CORE_UTILS is set, but built-in core utilities are available only on Windows; the programs of this system are used")
	}
}
