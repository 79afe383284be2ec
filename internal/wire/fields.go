package wire

// Fields writes the fields of one message, or reads them. A message names each of its fields
// once, in the order of their numbers, for both directions:
//
//	func (m *M) fields(f *wire.Fields) {
//		f.Text(1, &m.Name)
//	}
//
// Fields whose numbers are not named are skipped.
type Fields struct {
	b []byte   // what was written
	d *Decoder // has the field that is read; nil: they are written
}

// Encode appends the message with these fields to b.
func Encode(b []byte, fields func(*Fields)) []byte {
	f := Fields{b: b}
	fields(&f)
	return f.b
}

// Decode reads the message b. What it reads as bytes is a part of b.
func Decode(b []byte, fields func(*Fields)) error {
	f := Fields{d: NewDecoder(b)}
	for f.d.Next() {
		fields(&f)
	}
	return f.d.Err()
}

// Text is a field of type string.
//
//go:noinline
func (f *Fields) Text(n int, v *string) { field(f, n, v, AppendText[string], (*Decoder).String) }

// Bytes is a field of type bytes.
//
//go:noinline
func (f *Fields) Bytes(n int, v *[]byte) { field(f, n, v, AppendText[[]byte], (*Decoder).Bytes) }

// Bool is a field of type bool.
//
//go:noinline
func (f *Fields) Bool(n int, v *bool) { field(f, n, v, AppendBool, (*Decoder).Bool) }

// Uint is a field of type uint32, uint64 or an enumeration.
func (f *Fields) Uint(n int, v *uint64) { field(f, n, v, AppendUint, (*Decoder).Uint) }

// Int is a field of type int32 or int64.
//
//go:noinline
func (f *Fields) Int(n int, v *int64) { field(f, n, v, AppendInt, (*Decoder).Int) }

func field[T any](f *Fields, n int, v *T, write func([]byte, int, T) []byte, read func(*Decoder) T) {
	if f.d == nil {
		f.b = write(f.b, n, *v)
	} else if f.d.Field() == n {
		*v = read(f.d)
	}
}

// Texts is a repeated field of type string.
func (f *Fields) Texts(n int, v *[]string) {
	if f.d != nil && f.d.Field() == n {
		*v = append(*v, f.d.String())
	}
	for i := 0; f.d == nil && i < len(*v); i++ {
		f.b = AppendElement(f.b, n, (*v)[i])
	}
}

// Messages is a repeated field of messages with these fields.
func Messages[T any](f *Fields, n int, v *[]T, fields func(*T, *Fields)) {
	if f.d != nil && f.d.Field() == n {
		*v = append(*v, *new(T))
	}
	f.messages(n, len(*v), func(i int, f *Fields) { fields(&(*v)[i], f) })
}

// messages decodes the last of count messages, or encodes all. It is compiled once for all types.
func (f *Fields) messages(n, count int, fields func(i int, f *Fields)) {
	if f.d != nil && f.d.Field() == n {
		if err := Decode(f.d.Bytes(), func(f *Fields) { fields(count-1, f) }); err != nil && f.d.err == nil {
			f.d.err = err
		}
	}
	for i := 0; f.d == nil && i < count; i++ {
		f.b = AppendMessage(f.b, n, func(b []byte) []byte {
			return Encode(b, func(f *Fields) { fields(i, f) })
		})
	}
}
