package schema

import (
	"fmt"
	"slices"
	"strings"
)

// keyParts are the keys inside those that have a list or a map as value.
var keyParts = map[Key]string{
	KeyPrecondition:    ".sh",
	KeyPreconditionMsg: ".msg",
	KeyRequiredName:    ".name",
	KeyRequiredEnum:    ".enum.ref",
	KeyOutputs:         ".from",
	KeyForMatrixRef:    ".ref",
	KeyStdinTask:       ".task",
	KeyStdinVars:       ".vars",
	KeyStdoutFile:      ".file",
	KeyStderrFile:      ".file",
	KeyIPCTo:           ".task",
	KeyIPCVars:         ".vars",
}

// listKeys are the keys that have a list as value.
var listKeys = []Key{
	KeyDotenv, KeyPrompt, KeyStatus, KeyPrecondition, KeyPreconditionMsg, KeyRequiredName, KeyRequiredEnum, KeySources, KeyGenerates, KeyExec, KeyStdoutFile, KeyStderrFile,
	KeyAfter, KeyIPCSend,
}

// pathOf names a place inside its task, or its file: "cmds[2].stdin.text".
func pathOf(p *Place) string {
	var b strings.Builder
	if p.Command != nil {
		writeCommand(&b, p)
	}
	switch name := p.Key.String(); {
	case p.Command != nil && p.Command.Defer && p.Key == KeyCmd:
		b.WriteString("defer")
	case p.Command != nil && p.Command.Defer:
		b.WriteString("defer." + name)
	case p.Key == KeyStdinTask || p.Key == KeyStdinVars:
		from := "from"
		if p.Processes().Stdin.Kind == StdinOutput {
			from = "output"
		}
		b.WriteString(name + "." + from)
	default:
		b.WriteString(name)
	}
	switch {
	case p.Key == KeyReady:
		b.WriteString("." + p.Task.Service().Ready.Kind.String())
	case p.Key == KeyAlive:
		b.WriteString("." + p.Task.Service().Alive.Kind.String())
	case p.Key == KeyPort:
		b.WriteString("." + p.Task.Running.Ports[p.Index].Name)
	case p.Key == KeyListen:
		b.WriteString("." + p.Task.Service().Listen[p.Index].Name)
	case p.Key == KeyOutputs:
		b.WriteString("." + p.Task.Outputs[p.Index].Name)
	case p.Key == KeyForMatrix || p.Key == KeyForMatrixRef:
		b.WriteString("." + p.Command.For.Matrix[p.Index].Name)
	case slices.Contains(listKeys, p.Key):
		fmt.Fprintf(&b, "[%d]", p.Index)
	}
	b.WriteString(keyParts[p.Key])
	if p.Key == KeySources && p.Task.Sources[p.Index].Exclude || p.Key == KeyGenerates && p.Task.Generates[p.Index].Exclude {
		b.WriteString(".exclude")
	}
	if v := p.Var; v != nil {
		b.WriteString("." + v.Name + [...]string{Static: "", Dynamic: ".sh", Ref: ".ref"}[v.Kind])
	}
	return b.String()
}

// writeCommand writes the path of the command at p, and the dot before its keys.
func writeCommand(b *strings.Builder, p *Place) {
	name, list := "cmds", p.Task.Cmds
	if p.Need {
		name, list = "deps", p.Task.Deps
	}
	for i := range len(p.Groups) + 1 {
		c := p.Command
		if i < len(p.Groups) {
			c = p.Groups[i]
		}
		b.WriteString(name)
		for n := range list {
			if &list[n] == c {
				fmt.Fprintf(b, "[%d]", n)
				break
			}
		}
		b.WriteByte('.')
		if i < len(p.Groups) {
			name, list = c.Kind.groupKey(), c.Members
		}
	}
}
