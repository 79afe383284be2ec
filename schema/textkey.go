package schema

// TextKind is the kind of a text.
type TextKind uint8

const (
	TextPlain      TextKind = iota // a template whose result is used as it is
	TextScript                     // a template whose result is a shell script
	TextCondition                  // a script whose exit status is the result
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
	KeyCacheText
	KeyCacheCommand
	KeyDepfile
	KeyOutputs
	KeyReady // a regular expression, a URL or an address
	KeyReadyExec
	KeyReadyFile
	KeyAlive
	KeyAliveExec
	KeyAliveFile
	KeyListen
	KeyPort
	KeyAfter
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
	KeyUser
	KeyIPCSend
	KeyIPCSchema
	KeyIPCTo
	KeyIPCVars
)

// textKeys describe the keys: how each is written, and what its texts are.
var textKeys = [...]struct {
	name string
	kind TextKind
}{
	KeyDesc:            {"desc", TextPlain},
	KeySummary:         {"summary", TextPlain},
	KeyLabel:           {"label", TextPlain},
	KeyPrefix:          {"prefix", TextPlain},
	KeyDir:             {"dir", TextPath},
	KeyDotenv:          {"dotenv", TextPath},
	KeyRun:             {"run", TextWord},
	KeyMethod:          {"method", TextWord},
	KeyIf:              {"if", TextCondition},
	KeyPrompt:          {"prompt", TextPlain},
	KeyStatus:          {"status", TextCondition},
	KeyPrecondition:    {"preconditions", TextCondition},
	KeyPreconditionMsg: {"preconditions", TextPlain},
	KeyRequiredName:    {"requires.vars", TextVariable},
	KeyRequiredEnum:    {"requires.vars", TextExpression},
	KeySources:         {"sources", TextPattern},
	KeyGenerates:       {"generates", TextPattern},
	KeyCacheText:       {"cache.key", TextPlain},
	KeyCacheCommand:    {"cache.key", TextScript},
	KeyDepfile:         {"depfile", TextPattern},
	KeyOutputs:         {"outputs", TextPlain},
	KeyReady:           {"ready", TextPlain},
	KeyReadyExec:       {"ready.exec", TextCondition},
	KeyReadyFile:       {"ready.file", TextPath},
	KeyAlive:           {"alive", TextPlain},
	KeyAliveExec:       {"alive.exec", TextCondition},
	KeyAliveFile:       {"alive.file", TextPath},
	KeyListen:          {"listen", TextPlain},
	KeyPort:            {"ports", TextPlain},
	KeyAfter:           {"after", TextTask},
	KeyVars:            {"vars", TextPlain},
	KeyEnv:             {"env", TextPlain},
	KeyIncludeVars:     {"includes.vars", TextPlain},
	KeyGroupBegin:      {"output.group.begin", TextPlain},
	KeyGroupEnd:        {"output.group.end", TextPlain},
	KeyCmd:             {"cmd", TextScript},
	KeyTask:            {"task", TextTask},
	KeyExec:            {"exec", TextPlain},
	KeyFor:             {"for", TextLiteral},
	KeyForVar:          {"for.var", TextVariable},
	KeyForMatrix:       {"for.matrix", TextLiteral},
	KeyForMatrixRef:    {"for.matrix", TextExpression},
	KeyStopCmd:         {"stop.cmd", TextScript},
	KeyStdinText:       {"stdin.text", TextPlain},
	KeyStdinFile:       {"stdin.file", TextPath},
	KeyStdinTask:       {"stdin", TextTask},
	KeyStdinVars:       {"stdin", TextPlain},
	KeyStdoutFile:      {"stdout", TextPath},
	KeyStderrFile:      {"stderr", TextPath},
	KeyUser:            {"user", TextPlain},
	KeyIPCSend:         {"ipc.send", TextPlain},
	KeyIPCSchema:       {"ipc.schema", TextPath},
	KeyIPCTo:           {"ipc.to", TextTask},
	KeyIPCVars:         {"ipc.to", TextPlain},
}

// String returns the key as it is written, with those around it: "stdin.text".
func (k Key) String() string { return textKeys[k].name }

// OfProcesses reports whether k is one of the keys about processes: see [Processes].
func (k Key) OfProcesses() bool { return k >= KeyStopCmd }
