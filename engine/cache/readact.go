package cache

import (
	"bytes"
	"fmt"
	"time"

	"github.com/weftrun/weft/internal/wire"
)

// DecodeAct reads the message in b. One of another version is an error.
func DecodeAct(b []byte) (*Act, error) {
	a, version := &Act{}, uint64(0)
	err := read(b, func(d *wire.Decoder) error {
		if d.Field() == 1 {
			version = d.Uint()
		}
		return a.field(d)
	})
	if err == nil && version != actVersion {
		err = fmt.Errorf("%w: an action of version %d", wire.ErrMalformed, version)
	}
	return a, err
}

// MaxAct is the maximum size of the act of a run elsewhere, in bytes.
const MaxAct = 16 << 20

// DecodeWholeAct is DecodeAct for whoever performs the act: it is an error if b has a field that
// this version does not know, since that may change what is to be done.
func DecodeWholeAct(b []byte) (*Act, error) {
	if len(b) > MaxAct {
		return nil, fmt.Errorf("%w: an act of more than %d bytes", wire.ErrMalformed, MaxAct)
	}
	a, err := DecodeAct(b)
	if err == nil && !bytes.Equal(a.Append(nil), b) {
		err = fmt.Errorf("%w: an act with fields that this version does not know, or in another order", wire.ErrMalformed)
	}
	return a, err
}

func (a *Act) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 2:
		a.Dir = d.String()
	case 3:
		a.Commands = append(a.Commands, d.Bytes())
	case 4:
		a.Generates = append(a.Generates, Pattern{})
		err = readElement(d, len(a.Generates), &a.Generates[len(a.Generates)-1])
	case 5:
		a.Outputs = append(a.Outputs, Value{})
		err = readElement(d, len(a.Outputs), &a.Outputs[len(a.Outputs)-1])
	case 6:
		a.Captured = d.Bool()
	case 7:
		a.Inputs = append(a.Inputs, d.Bytes())
	case 8:
		a.Keys = append(a.Keys, d.String())
	case 9:
		a.Inherited = append(a.Inherited, Inherited{})
		err = readElement(d, len(a.Inherited), &a.Inherited[len(a.Inherited)-1])
	case 10:
		a.Elsewhere = append(a.Elsewhere, File{})
		err = readElement(d, len(a.Elsewhere), &a.Elsewhere[len(a.Elsewhere)-1])
	case 11:
		a.Limit = time.Duration(d.Int())
	}
	return err
}

func (p *Pattern) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		p.Glob = d.String()
	case 2:
		p.Exclude = d.Bool()
	}
	return nil
}

func (v *Value) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		v.Name = d.String()
	case 2:
		v.Made = d.String()
	case 3:
		v.From = d.String()
	case 4:
		v.As = d.String()
	case 5:
		v.Path = d.String()
	}
	return nil
}

func (i *Inherited) field(d *wire.Decoder) error {
	switch d.Field() {
	case 1:
		i.Name = d.String()
	case 2:
		i.Value = d.String()
	case 3:
		i.Set = d.Bool()
	}
	return nil
}

func (f *File) field(d *wire.Decoder) (err error) {
	switch d.Field() {
	case 1:
		f.Path = d.String()
	case 2:
		err = readDigest(d, &f.Digest)
	case 3:
		f.Executable = d.Bool()
	case 4:
		f.Target = d.String()
	}
	return err
}
