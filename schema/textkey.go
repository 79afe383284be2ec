package schema

// TextKind tells what a text is.
type TextKind uint8

const (
	TextPlain      TextKind = iota // a template whose result is used as it is
	TextScript                     // a template whose result is a shell script
	TextCondition                  // a script whose exit status is the answer
	TextTask                       // a template whose result is the name of a task
	TextPath                       // a template whose result is the name of a file or directory
	TextPattern                    // a template whose result names files, as in *.go
	TextWord                       // a template whose result is one of a few words
	TextExpression                 // a template without its braces
	TextVariable                   // no template
	TextLiteral                    // no template: an item of a list, taken as it is written
)

// Key is the key of a task, a command or a file that a text is the value of.
type Key uint8

const (
	KeyDesc Key = iota
	KeySummary
	KeyLabel
	KeyPrefix
	KeyDir
	KeyDotenv
	KeyRun
	KeyMethod
	KeyIf // of a task or a command
	KeyPrompt
	KeyStatus
	KeyPrecondition
	KeyPreconditionMsg
	KeyRequiredName
	KeyRequiredEnum
	KeySources
	KeyGenerates
	KeyOutputs
	KeyVars // of a file, a task or a call
	KeyEnv
	KeyIncludeVars
	KeyGroupBegin
	KeyGroupEnd
	KeyCmd
	KeyTask
	KeyExec
	KeyFor // an item of the list, or the word
	KeyForVar
	KeyForMatrix
	KeyForMatrixRef
	KeyStopCmd // this and the ones below are of a task or a command
	KeyStdinText
	KeyStdinFile
	KeyStdinTask
	KeyStdinVars
	KeyStdoutFile
	KeyStderrFile
)

// textKeys describe the keys: where several texts are the values of one, each has its
// number between name and part.
var textKeys = [...]struct {
	name string
	part string
	many bool
	kind TextKind
}{
	KeyDesc:            {name: "desc"},
	KeySummary:         {name: "summary"},
	KeyLabel:           {name: "label"},
	KeyPrefix:          {name: "prefix"},
	KeyDir:             {name: "dir", kind: TextPath},
	KeyDotenv:          {name: "dotenv", many: true, kind: TextPath},
	KeyRun:             {name: "run", kind: TextWord},
	KeyMethod:          {name: "method", kind: TextWord},
	KeyIf:              {name: "if", kind: TextCondition},
	KeyPrompt:          {name: "prompt", many: true},
	KeyStatus:          {name: "status", many: true, kind: TextCondition},
	KeyPrecondition:    {name: "preconditions", part: ".sh", many: true, kind: TextCondition},
	KeyPreconditionMsg: {name: "preconditions", part: ".msg", many: true},
	KeyRequiredName:    {name: "requires.vars", part: ".name", many: true, kind: TextVariable},
	KeyRequiredEnum:    {name: "requires.vars", part: ".enum.ref", many: true, kind: TextExpression},
	KeySources:         {name: "sources", many: true, kind: TextPattern},
	KeyGenerates:       {name: "generates", many: true, kind: TextPattern},
	KeyOutputs:         {name: "outputs", part: ".from"},
	KeyVars:            {name: "vars"},
	KeyEnv:             {name: "env"},
	KeyIncludeVars:     {name: "includes.vars"},
	KeyGroupBegin:      {name: "output.group.begin"},
	KeyGroupEnd:        {name: "output.group.end"},
	KeyCmd:             {name: "cmd", kind: TextScript},
	KeyTask:            {name: "task", kind: TextTask},
	KeyExec:            {name: "exec", many: true},
	KeyFor:             {name: "for", kind: TextLiteral},
	KeyForVar:          {name: "for.var", kind: TextVariable},
	KeyForMatrix:       {name: "for.matrix", kind: TextLiteral},
	KeyForMatrixRef:    {name: "for.matrix", part: ".ref", kind: TextExpression},
	KeyStopCmd:         {name: "stop.cmd", kind: TextScript},
	KeyStdinText:       {name: "stdin.text"},
	KeyStdinFile:       {name: "stdin.file", kind: TextPath},
	KeyStdinTask:       {name: "stdin", part: ".task", kind: TextTask},
	KeyStdinVars:       {name: "stdin", part: ".vars"},
	KeyStdoutFile:      {name: "stdout", part: ".file", many: true, kind: TextPath},
	KeyStderrFile:      {name: "stderr", part: ".file", many: true, kind: TextPath},
}

// String returns the key as it is written, with those around it: "stdin.text".
func (k Key) String() string { return textKeys[k].name }

// OfProcesses reports whether k is one of the keys about processes: see [Processes].
func (k Key) OfProcesses() bool { return k >= KeyStopCmd }
