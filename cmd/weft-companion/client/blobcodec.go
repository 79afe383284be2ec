package client

import (
	"fmt"
	"sync"

	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/encoding"
	rpcproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// blobCodec is the codec of one stream with a blob. It encodes its pieces without a copy, and decodes
// them with one, where that of gRPC makes one copy more and allocates each. The Data of a WriteRequest must
// be a piece, which belongs to the codec then; that of a ReadResponse is valid until the next one.
type blobCodec struct {
	encoding.CodecV2 // of the other messages
	received         []byte
}

func newBlobCodec() *blobCodec { return &blobCodec{CodecV2: encoding.GetCodecV2(rpcproto.Name)} }

// dataField is the field of the bytes, in messages of both directions.
const dataField = 10

// Marshal implements [encoding.CodecV2].
func (c *blobCodec) Marshal(v any) (mem.BufferSlice, error) {
	q, ok := v.(*bspb.WriteRequest)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	head, err := proto.Marshal(&bspb.WriteRequest{ResourceName: q.ResourceName, WriteOffset: q.WriteOffset, FinishWrite: q.FinishWrite})
	if err != nil {
		return nil, err
	}
	head = protowire.AppendTag(head, dataField, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(len(q.Data)))
	return mem.BufferSlice{mem.SliceBuffer(head), mem.NewBuffer(&q.Data, pieces)}, nil
}

// Unmarshal implements [encoding.CodecV2].
func (c *blobCodec) Unmarshal(data mem.BufferSlice, v any) error {
	a, ok := v.(*bspb.ReadResponse)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	n := data.Len()
	if cap(c.received) < n {
		c.received = make([]byte, n)
	}
	b := c.received[:n]
	data.CopyTo(b)
	field, kind, tag := protowire.ConsumeTag(b)
	if field == dataField && kind == protowire.BytesType && tag > 0 {
		if content, size := protowire.ConsumeBytes(b[tag:]); tag+size == n {
			a.Data = content
			return nil
		}
	}
	if err := proto.Unmarshal(b, a); err != nil {
		return fmt.Errorf("a message of a stream cannot be decoded: %w", err)
	}
	return nil
}

// pieces are buffers of what one message of a stream carries. All have room for streamMessage bytes.
var pieces = &piecePool{sync.Pool{New: func() any { b := make([]byte, streamMessage); return &b }}}

// piecePool is a [mem.BufferPool].
type piecePool struct{ sync.Pool }

// Get implements [mem.BufferPool].
func (p *piecePool) Get(n int) *[]byte {
	b := p.Pool.Get().(*[]byte)
	*b = (*b)[:n]
	return b
}

// Put implements [mem.BufferPool].
func (p *piecePool) Put(b *[]byte) { p.Pool.Put(b) }
