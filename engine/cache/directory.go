package cache

import "github.com/weftrun/weft/internal/wire"

// Directory is one directory of a tree. Each list is sorted by the bytes of the names; a name
// occurs once, in one of them.
type Directory struct {
	Files       []FileNode
	Directories []DirectoryNode
	Symlinks    []SymlinkNode
}

// Append appends the message to b.
func (t *Directory) Append(b []byte) []byte {
	for i := range t.Files {
		b = wire.AppendMessage(b, 1, t.Files[i].Append)
	}
	for i := range t.Directories {
		b = wire.AppendMessage(b, 2, t.Directories[i].Append)
	}
	for i := range t.Symlinks {
		b = wire.AppendMessage(b, 3, t.Symlinks[i].Append)
	}
	return b
}

// DecodeDirectory reads the message in b.
func DecodeDirectory(b []byte) (*Directory, error) { return decode[Directory](b) }

func (t *Directory) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		t.Files = append(t.Files, FileNode{})
		err = readElement(d, len(t.Files), &t.Files[len(t.Files)-1])
	case 2:
		t.Directories = append(t.Directories, DirectoryNode{})
		err = readElement(d, len(t.Directories), &t.Directories[len(t.Directories)-1])
	case 3:
		t.Symlinks = append(t.Symlinks, SymlinkNode{})
		err = readElement(d, len(t.Symlinks), &t.Symlinks[len(t.Symlinks)-1])
	}
	return err
}

// FileNode is a file in a [Directory].
type FileNode struct {
	Name       string // one element of a path
	Digest     Digest
	Executable bool
}

// Append appends the message to b.
func (n *FileNode) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, n.Name)
	b = appendDigest(b, 2, n.Digest)
	return wire.AppendBool(b, 4, n.Executable)
}

func (n *FileNode) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		n.Name = d.String()
	case 2:
		err = readDigest(d, &n.Digest)
	case 4:
		n.Executable = d.Bool()
	}
	return err
}

// DirectoryNode is a directory in a [Directory].
type DirectoryNode struct {
	Name   string // one element of a path
	Digest Digest // of its Directory
}

// Append appends the message to b.
func (n *DirectoryNode) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, n.Name)
	return appendDigest(b, 2, n.Digest)
}

func (n *DirectoryNode) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		n.Name = d.String()
	case 2:
		err = readDigest(d, &n.Digest)
	}
	return err
}

// SymlinkNode is a symbolic link in a [Directory].
type SymlinkNode struct {
	Name   string // one element of a path
	Target string // target of the link, with slashes
}

// Append appends the message to b.
func (n *SymlinkNode) Append(b []byte) []byte {
	b = wire.AppendText(b, 1, n.Name)
	return wire.AppendText(b, 2, n.Target)
}

func (n *SymlinkNode) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		n.Name = d.String()
	case 2:
		n.Target = d.String()
	}
	return nil
}

// Tree is a directory with all that is below it.
type Tree struct {
	Root     Directory
	Children []Directory // the directories below, in any order, without repetition
}

// Append appends the message to b.
func (t *Tree) Append(b []byte) []byte {
	b = wire.AppendMessage(b, 1, t.Root.Append)
	for i := range t.Children {
		b = wire.AppendMessage(b, 2, t.Children[i].Append)
	}
	return b
}

// DecodeTree reads the message in b.
func DecodeTree(b []byte) (*Tree, error) { return decode[Tree](b) }

func (t *Tree) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		err = read(d.Bytes(), t.Root.field)
	case 2:
		t.Children = append(t.Children, Directory{})
		err = readElement(d, len(t.Children), &t.Children[len(t.Children)-1])
	}
	return err
}
