package main

import (
	"embed"
	"errors"
	"strings"
)

//go:embed completion
var completionScripts embed.FS

// completion handles --completion: it writes a script that calls `weft __complete`.
func (a *app) completion() int {
	shell := a.opts.completion
	switch shell {
	case "bash", "zsh", "fish", "powershell", "nu":
	case "nushell":
		shell = "nu"
	default:
		return a.fail(errors.New("unknown shell: " + shell))
	}
	script, err := completionScripts.ReadFile("completion/" + shell)
	if err != nil {
		return a.fail(err)
	}
	a.out.Show(strings.ReplaceAll(string(script), "PROGRAM", a.name))
	return 0
}
