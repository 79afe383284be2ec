// Package official compares the messages of package cache with the official types of the Bazel
// Remote Execution API.
package official

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weftrun/weft/engine/cache"
)

// unused are the fields of messages that package cache neither writes nor keeps.
var unused = map[string]string{
	"Command.output_node_properties":  "all that weft knows of are written",
	"Command.output_directory_format": "outputs of runs elsewhere come in one place",

	"Directory.node_properties":               "inputs have none",
	"FileNode.node_properties":                "inputs have none",
	"SymlinkNode.node_properties":             "inputs have none",
	"OutputSymlink.node_properties":           "a link has no mode",
	"NodeProperties.properties":               "there is none that weft knows",
	"NodeProperties.mtime":                    "a message does not tell times",
	"OutputFile.contents":                     "weft asks nobody for it",
	"ActionResult.stdout_raw":                 "the log is a blob",
	"ActionResult.stderr_raw":                 "the log is a blob",
	"ActionResult.stderr_digest":              "both streams are in one log",
	"OutputDirectory.is_topologically_sorted": "an order is not needed",

	"ActionResult.output_file_symlinks":      "read only: TestLinksOfOlderServers",
	"ActionResult.output_directory_symlinks": "read only: TestLinksOfOlderServers",

	"ExecutedActionMetadata.queued_timestamp":                  "a message does not tell times",
	"ExecutedActionMetadata.worker_start_timestamp":            "a message does not tell times",
	"ExecutedActionMetadata.worker_completed_timestamp":        "a message does not tell times",
	"ExecutedActionMetadata.input_fetch_start_timestamp":       "a message does not tell times",
	"ExecutedActionMetadata.input_fetch_completed_timestamp":   "a message does not tell times",
	"ExecutedActionMetadata.execution_start_timestamp":         "a message does not tell times",
	"ExecutedActionMetadata.execution_completed_timestamp":     "a message does not tell times",
	"ExecutedActionMetadata.virtual_execution_duration":        "a message does not tell times",
	"ExecutedActionMetadata.output_upload_start_timestamp":     "a message does not tell times",
	"ExecutedActionMetadata.output_upload_completed_timestamp": "a message does not tell times",
}

// filler fills messages at random.
type filler struct {
	*rand.Rand
	t    *testing.T
	seen map[string]bool // fields that are unused
}

// fill sets the fields of m. None of its messages is empty: package cache does not distinguish an
// empty message from none.
func (f *filler) fill(m protoreflect.Message) {
	if d, ok := m.Interface().(*repb.Digest); ok { // a hash is not a random text
		proto.Merge(d, digestOf([]byte{byte(f.Uint32()), byte(f.Uint32())}))
		d.SizeBytes = int64(f.Uint64N(3)) << f.IntN(60)
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := string(m.Descriptor().Name()) + "." + string(fd.Name())
		if unused[name] != "" {
			f.seen[name] = true
			continue
		}
		message := fd.Kind() == protoreflect.MessageKind
		switch {
		case fd.IsList():
			list := m.Mutable(fd).List()
			for range f.IntN(4) {
				if message {
					f.fill(list.AppendMutable().Message())
				} else {
					list.Append(f.value(fd))
				}
			}
			if list.Len() == 0 {
				m.Clear(fd)
			}
		case name == "Tree.root": // it always exists
			f.fill(m.Mutable(fd).Message())
		case message && f.IntN(4) > 0:
			f.fill(m.Mutable(fd).Message())
			if proto.Size(m.Get(fd).Message().Interface()) == 0 && fd.Message().Name() != "UInt32Value" {
				m.Clear(fd)
			}
		case !message:
			if v := f.value(fd); f.IntN(4) > 0 {
				m.Set(fd, v)
			}
		}
	}
}

func (f *filler) value(fd protoreflect.FieldDescriptor) protoreflect.Value {
	text := strings.Repeat([]string{"", "a", "ü", "\x00", "long text "}[f.IntN(5)], f.IntN(40))
	switch fd.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(text + "\xff"))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(f.IntN(2) == 1)
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(f.Uint32()))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(f.Uint64()))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(f.Uint32() >> f.IntN(33))
	}
	f.t.Fatalf("%s: %v is a kind that is not filled", fd.FullName(), fd.Kind())
	return protoreflect.Value{}
}

// again returns the encoding of a message that package cache has decoded.
func again[M any](decode func([]byte) (*M, error), encode func(*M, []byte) []byte) func([]byte) ([]byte, error) {
	return func(b []byte) ([]byte, error) {
		m, err := decode(b)
		if err != nil {
			return nil, err
		}
		return encode(m, nil), nil
	}
}

// TestMessages: package cache decodes messages of the official types, and encodes them unchanged.
func TestMessages(t *testing.T) {
	f := filler{rand.New(rand.NewPCG(1, 2)), t, map[string]bool{}}
	for _, tt := range []struct {
		message proto.Message
		again   func([]byte) ([]byte, error)
	}{
		{&repb.Action{}, again(cache.DecodeAction, (*cache.Action).Append)},
		{&repb.Command{}, again(cache.DecodeCommand, (*cache.Command).Append)},
		{&repb.Directory{}, again(cache.DecodeDirectory, (*cache.Directory).Append)},
		{&repb.Tree{}, again(cache.DecodeTree, (*cache.Tree).Append)},
		{&repb.ActionResult{}, again(cache.DecodeActionResult, (*cache.ActionResult).Append)},
	} {
		for range 1000 {
			m := tt.message.ProtoReflect().New()
			f.fill(m)
			want := encoded(t, m.Interface())
			got, err := tt.again(want)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%v\nis     %x\nbecomes %x, %v", m.Interface(), want, got, err)
			}
		}
	}
	for name, why := range unused {
		if !f.seen[name] {
			t.Errorf("%s (%s): there is no such field", name, why)
		}
	}
}
