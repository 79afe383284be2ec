package cache

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Difference is something in which an Action differs from an earlier one.
type Difference struct {
	// Kind is "command", "env", "file", "directory", "generates", "output", "input", "cache" (an
	// entry of the key cache), "salt" or "platform".
	Kind string
	Name string // which one of these; "" if there is only one
	// Old and New are values, of commands their encodings; short digests; or New is a word:
	// "new", "gone", "changed", "mode", "link".
	Old, New string
}

// mostCompared is the number of latest Actions that are compared.
const mostCompared = 32

// Nearest returns which one of earlier Actions differs least from key, of equals the last, and the
// differences; the zero Digest if none can be compared. It does not count as a use.
func (d *Disk) Nearest(key *Key, earlier []Digest) (nearest Digest, differences []Difference) {
	messages := make(map[Digest][]byte, len(key.Messages))
	for _, m := range key.Messages {
		messages[DigestOf(m)] = m
	}
	now, err := openAction(key.Action, func(blob Digest) ([]byte, error) {
		if b, ok := messages[blob]; ok {
			return b, nil
		}
		return nil, fs.ErrNotExist
	})
	if err != nil {
		return Digest{}, nil
	}
	for i := len(earlier) - 1; i >= max(0, len(earlier)-mostCompared); i-- {
		old, err := openAction(earlier[i], d.readMessage)
		if err != nil {
			continue
		}
		found, err := old.differences(now)
		if err == nil && (nearest.IsZero() || len(found) < len(differences)) {
			nearest, differences = earlier[i], found
		}
	}
	return nearest, differences
}

// readMessage reads a blob without using it.
func (d *Disk) readMessage(blob Digest) ([]byte, error) {
	if blob.Size == 0 {
		return nil, nil
	}
	dir, err := d.blobs.at(blob.Hash[0], false)
	if err != nil {
		return nil, err
	}
	b, err := dir.ReadFile(blob.Hex(), MaxResult)
	if err == nil && DigestOf(b) != blob {
		err = &Damage{blob, "has other content"}
	}
	return b, err
}

// opened is an Action with its messages.
type opened struct {
	read func(blob Digest) ([]byte, error)
	*Action
	command *Command
	act     *Act
}

func openAction(action Digest, read func(Digest) ([]byte, error)) (o *opened, err error) {
	o = &opened{read: read}
	if o.Action, err = readAs(read, action, DecodeAction); err != nil {
		return nil, err
	}
	if o.command, err = readAs(read, o.Command, DecodeCommand); err != nil {
		return nil, err
	}
	act, err := o.file(ActPath)
	if err == nil {
		o.act, err = readAs(read, act, DecodeAct)
	}
	return o, err
}

// readAs reads a blob that is a message.
func readAs[M any](read func(Digest) ([]byte, error), blob Digest, decode func([]byte) (*M, error)) (*M, error) {
	b, err := read(blob)
	if err != nil {
		return nil, err
	}
	return decode(b)
}

// file returns the digest of one of the inputs.
func (o *opened) file(name string) (Digest, error) {
	at := o.InputRoot
	dirs, base := path.Split(name)
	for part := range strings.SplitSeq(path.Clean(dirs), "/") {
		d, err := readAs(o.read, at, DecodeDirectory)
		if err != nil {
			return Digest{}, err
		}
		at = Digest{}
		for _, sub := range d.Directories {
			if sub.Name == part {
				at = sub.Digest
			}
		}
	}
	d, err := readAs(o.read, at, DecodeDirectory)
	if err != nil {
		return Digest{}, err
	}
	for _, f := range d.Files {
		if f.Name == base {
			return f.Digest, nil
		}
	}
	return Digest{}, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}
