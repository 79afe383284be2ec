package client

import (
	"bytes"
	"testing"

	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// TestBlobCodec: messages are those of protobuf, whatever their fields and however they are divided.
func TestBlobCodec(t *testing.T) {
	c := newBlobCodec()
	for _, data := range [][]byte{nil, []byte("x"), bytesOf("piece", streamMessage)} {
		for _, want := range []*bspb.WriteRequest{
			{ResourceName: "uploads/u/blobs/h/1", Data: data},
			{WriteOffset: 1 << 40, Data: data, FinishWrite: true},
		} {
			q := proto.Clone(want).(*bspb.WriteRequest)
			q.Data = *pieces.Get(len(data))
			copy(q.Data, data)
			b, err := c.Marshal(q)
			if err != nil {
				t.Fatal(err)
			}
			got := new(bspb.WriteRequest)
			if err := proto.Unmarshal(b.Materialize(), got); err != nil || !proto.Equal(got, want) && len(data) > 0 {
				t.Errorf("%d bytes: got %v", len(data), err)
			}
			b.Free()
		}

		plain, err := proto.Marshal(&bspb.ReadResponse{Data: data})
		if err != nil {
			t.Fatal(err)
		}
		unknown := protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 7)
		for name, message := range map[string][]byte{
			"plain": plain, "unknown field before": append(bytes.Clone(unknown), plain...), "unknown field after": append(bytes.Clone(plain), unknown...),
		} {
			a := new(bspb.ReadResponse)
			half := len(message) / 2
			parts := mem.BufferSlice{mem.SliceBuffer(message[:half]), mem.SliceBuffer(message[half:])}
			if err := c.Unmarshal(parts, a); err != nil || !bytes.Equal(a.Data, data) {
				t.Errorf("%s, %d bytes: got %d, %v", name, len(data), len(a.Data), err)
			}
		}
	}
	for _, wrong := range []string{"\x52", "\x52\x05x", "\x52\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if err := c.Unmarshal(mem.BufferSlice{mem.SliceBuffer(wrong)}, new(bspb.ReadResponse)); err == nil {
			t.Errorf("%q is decoded", wrong)
		}
	}
}
