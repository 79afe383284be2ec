package cache

import (
	"fmt"

	"github.com/weftrun/weft/internal/wire"
)

// MaxResult is the maximum size of an [ActionResult] in bytes: some 400,000 outputs.
const MaxResult = 64 << 20

// ActionResult is the result of an [Action]. Paths are relative to the root of the inputs and
// separated by slashes; lists are sorted by path.
type ActionResult struct {
	Files       []OutputFile
	Directories []OutputDirectory
	Symlinks    []OutputSymlink
	ExitCode    int32
	Stdout      Digest // the log: both streams in order
	Metadata    ExecutedActionMetadata
}

// Append appends the message to b.
func (r *ActionResult) Append(b []byte) []byte {
	for i := range r.Files {
		b = wire.AppendMessage(b, 2, r.Files[i].Append)
	}
	for i := range r.Directories {
		b = wire.AppendMessage(b, 3, r.Directories[i].Append)
	}
	b = wire.AppendInt(b, 4, int64(r.ExitCode))
	b = appendDigest(b, 6, r.Stdout)
	if !r.Metadata.isZero() {
		b = wire.AppendMessage(b, 9, r.Metadata.Append)
	}
	for i := range r.Symlinks {
		b = wire.AppendMessage(b, 12, r.Symlinks[i].Append)
	}
	return b
}

// DecodeActionResult reads the message in b, which may come from anyone: links are taken from all
// three lists that REAPI has for them. The result must be checked before it is used. Parts of b are
// kept.
func DecodeActionResult(b []byte) (*ActionResult, error) {
	if len(b) > MaxResult {
		return nil, fmt.Errorf("%w: the result has %d bytes, more than %d", wire.ErrMalformed, len(b), MaxResult)
	}
	return decode[ActionResult](b)
}

func (r *ActionResult) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 2:
		r.Files = append(r.Files, OutputFile{})
		err = readElement(d, len(r.Files), &r.Files[len(r.Files)-1])
	case 3:
		r.Directories = append(r.Directories, OutputDirectory{})
		err = readElement(d, len(r.Directories), &r.Directories[len(r.Directories)-1])
	case 4:
		r.ExitCode = int32(d.Int())
	case 6:
		err = readDigest(d, &r.Stdout)
	case 9:
		err = read(d.Bytes(), r.Metadata.field)
	case 10, 11, 12: // links to files and to directories, of older servers; links
		r.Symlinks = append(r.Symlinks, OutputSymlink{})
		err = readElement(d, len(r.Symlinks), &r.Symlinks[len(r.Symlinks)-1])
	}
	return err
}

// OutputFile is a regular file that an Action has made.
type OutputFile struct {
	Path       string
	Digest     Digest
	Executable bool
	Properties NodeProperties
}

// Append appends the message to b.
func (f *OutputFile) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, f.Path)
	b = appendDigest(b, 2, f.Digest)
	b = wire.AppendBool(b, 4, f.Executable)
	if f.Properties == (NodeProperties{}) {
		return b
	}
	return wire.AppendMessage(b, 7, f.Properties.Append)
}

func (f *OutputFile) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		f.Path = d.String()
	case 2:
		err = readDigest(d, &f.Digest)
	case 4:
		f.Executable = d.Bool()
	case 7:
		err = read(d.Bytes(), f.Properties.field)
	}
	return err
}

// NodeProperties are properties of a file beside its content.
type NodeProperties struct {
	Mode    uint32 // permission bits; 0 if HasMode is false
	HasMode bool   // Mode is given
}

// Append appends the message to b.
func (p *NodeProperties) Append(b []byte) []byte {
	if !p.HasMode {
		return b
	}
	return wire.AppendMessage(b, 3, func(b []byte) []byte { return wire.AppendUint(b, 1, uint64(p.Mode)) })
}

func (p *NodeProperties) field(d *wire.Decoder) error {
	if d.Field() != 3 {
		return nil
	}
	p.HasMode = true
	return read(d.Bytes(), func(d *wire.Decoder) error {
		if d.Field() == 1 {
			p.Mode = uint32(d.Uint())
		}
		return nil
	})
}

// OutputSymlink is a symbolic link that an Action has made.
type OutputSymlink struct {
	Path   string
	Target string // target of the link, with slashes
}

// Append appends the message to b.
func (l *OutputSymlink) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, l.Path)
	return wire.AppendText(b, 2, l.Target)
}

func (l *OutputSymlink) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		l.Path = d.String()
	case 2:
		l.Target = d.String()
	}
	return nil
}

// OutputDirectory is a directory that an Action has made, with all that is in it. weft
// writes empty ones only.
type OutputDirectory struct {
	Path string
	Tree Digest // of a [Tree]
	Root Digest // of its [Directory], which some servers send instead of Tree
}

// Append appends the message to b.
func (o *OutputDirectory) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, o.Path)
	b = appendDigest(b, 3, o.Tree)
	return appendDigest(b, 5, o.Root)
}

func (o *OutputDirectory) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		o.Path = d.String()
	case 3:
		err = readDigest(d, &o.Tree)
	case 5:
		err = readDigest(d, &o.Root)
	}
	return err
}

// ExecutedActionMetadata describes how an Action was run. weft writes neither times nor the name of
// a machine.
type ExecutedActionMetadata struct {
	Worker    string
	Auxiliary []Any // weft writes one, a [Log]
}

func (m *ExecutedActionMetadata) isZero() bool { return m.Worker == "" && len(m.Auxiliary) == 0 }

// Append appends the message to b.
func (m *ExecutedActionMetadata) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, m.Worker)
	for i := range m.Auxiliary {
		b = wire.AppendMessage(b, 11, m.Auxiliary[i].Append)
	}
	return b
}

func (m *ExecutedActionMetadata) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		m.Worker = d.String()
	case 11:
		m.Auxiliary = append(m.Auxiliary, Any{})
		err = readElement(d, len(m.Auxiliary), &m.Auxiliary[len(m.Auxiliary)-1])
	}
	return err
}

// Any is a message with the name of its type.
type Any struct {
	Type  string
	Value []byte
}

// Append appends the message to b.
func (a *Any) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, a.Type)
	return wire.AppendText(b, 2, a.Value)
}

func (a *Any) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		a.Type = d.String()
	case 2:
		a.Value = d.Bytes()
	}
	return nil
}
