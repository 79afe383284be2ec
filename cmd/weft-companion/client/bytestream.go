package client

import (
	"context"
	"fmt"
	"io"

	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"

	"github.com/weftrun/weft/cmd/weft-companion/packing"
	"github.com/weftrun/weft/engine/cache"
	"github.com/weftrun/weft/internal/uuid"
)

// streamMessage is the number of bytes of a blob in a message.
const streamMessage = 1 << 20

func newUUID() string { return uuid.New().String() }

// streams returns the client for a blob.
func (g *grpcServer) streams(blob cache.Digest) bspb.ByteStreamClient {
	if blob.Size > maxSmall {
		return g.largeStreams
	}
	return g.smallStreams
}

// resource returns the name of a stream: [INSTANCE/]MIDDLE blobs/HASH/SIZE.
func (g *grpcServer) resource(middle string, packed bool, blob cache.Digest) string {
	kind := "blobs"
	if packed {
		kind = "compressed-blobs/zstd"
	}
	name := fmt.Sprintf("%s%s/%s", middle, kind, blob)
	if g.instance != "" {
		name = g.instance + "/" + name
	}
	return name
}

// Read implements [Server].
func (g *grpcServer) Read(ctx context.Context, c Call, blob cache.Digest, from int64, packed bool, w io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	stream, err := g.streams(blob).Read(g.outgoing(ctx, c), &bspb.ReadRequest{ResourceName: g.resource("", packed, blob), ReadOffset: from}, grpc.ForceCodecV2(newBlobCodec()))
	if err != nil {
		return g.failure(ctx, err)
	}
	m := &messages{next: func() ([]byte, error) {
		a := new(bspb.ReadResponse)
		err := stream.RecvMsg(a)
		if err == io.EOF {
			return nil, err
		}
		if err != nil {
			return nil, g.failure(ctx, err)
		}
		g.traffic.down.Add(int64(len(a.Data)))
		return a.Data, nil
	}}
	if packed {
		return unpackTo(&g.codecs, w, m)
	}
	_, err = m.WriteTo(w)
	return err
}

// messages are the data of the messages of a stream.
type messages struct {
	next func() ([]byte, error)
	rest []byte
}

// Read implements [io.Reader].
func (m *messages) Read(b []byte) (int, error) {
	for len(m.rest) == 0 {
		var err error
		if m.rest, err = m.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, m.rest)
	m.rest = m.rest[n:]
	return n, nil
}

// WriteTo implements [io.WriterTo].
func (m *messages) WriteTo(w io.Writer) (n int64, err error) {
	for {
		b, err := m.next()
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		written, err := w.Write(b)
		n += int64(written)
		if err != nil {
			return n, err
		}
	}
}

// Write implements [Server].
func (g *grpcServer) Write(ctx context.Context, c Call, u *Upload) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, err := u.Content()
	if err != nil {
		return err
	}
	stream, err := g.streams(u.Blob).Write(g.outgoing(ctx, c), grpc.ForceCodecV2(newBlobCodec()))
	if err != nil {
		return g.failure(ctx, err)
	}
	s := &writeStream{stream: stream, name: g.uploadName(u), at: u.From, traffic: g.traffic, codecs: &g.codecs}
	if u.Packed {
		err = s.sendPacked(from)
	} else {
		err = s.sendRaw(from, u.Blob.Size)
	}
	if err != nil && err != errAnswered {
		return err
	}
	a, err := stream.CloseAndRecv()
	switch {
	case err != nil:
		return g.failure(ctx, err)
	case !u.Packed && a.CommittedSize != u.Blob.Size:
		return &Failure{Class: passing, Tries: triesOf(rpcTries[:], passing), Text: fmt.Sprintf("the server has kept %d of %d bytes", a.CommittedSize, u.Blob.Size)}
	}
	return nil
}

func (g *grpcServer) uploadName(u *Upload) string {
	return g.resource("uploads/"+u.ID+"/", u.Packed, u.Blob)
}

// errAnswered means that the server has answered before everything was sent.
var errAnswered = fmt.Errorf("the server has answered")

// writeStream sends a blob.
type writeStream struct {
	stream  bspb.ByteStream_WriteClient
	name    string // until it was sent
	at      int64  // bytes sent
	pending []byte // compressed bytes that were not yet sent, in a piece
	traffic *traffic
	codecs  *packing.Codecs
}

// send sends one message with b, a piece, which it owns.
func (s *writeStream) send(b []byte, last bool) error {
	err := s.stream.Send(&bspb.WriteRequest{ResourceName: s.name, WriteOffset: s.at, Data: b, FinishWrite: last})
	if err != nil {
		return errAnswered // with what, CloseAndRecv says
	}
	s.name = ""
	s.at += int64(len(b))
	s.traffic.up.Add(int64(len(b)))
	return nil
}

// sendRaw sends from, which has all that is left of size bytes.
func (s *writeStream) sendRaw(from io.Reader, size int64) error {
	for {
		piece := *pieces.Get(int(min(size-s.at, streamMessage)))
		if _, err := io.ReadFull(from, piece); err != nil {
			return err
		}
		last := s.at+int64(len(piece)) == size
		if err := s.send(piece, last); err != nil || last {
			return err
		}
	}
}

// sendPacked sends from compressed.
func (s *writeStream) sendPacked(from io.Reader) error {
	s.pending = *pieces.Get(0)
	e := s.codecs.Encoder(s)
	defer s.codecs.KeepEncoder(e)
	buffer := buffers.Get().(*[bufferSize]byte)
	defer buffers.Put(buffer)
	if _, err := io.CopyBuffer(struct{ io.Writer }{e}, struct{ io.Reader }{from}, buffer[:]); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	return s.send(s.pending, true)
}

// Write implements [io.Writer]: it sends whole messages, and keeps the rest.
func (s *writeStream) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		if len(s.pending) == streamMessage {
			if err := s.send(s.pending, false); err != nil {
				return 0, err
			}
			s.pending = *pieces.Get(0)
		}
		m := min(len(b), streamMessage-len(s.pending))
		s.pending = append(s.pending, b[:m]...)
		b = b[m:]
	}
	return n, nil
}

// Written implements [Server].
func (g *grpcServer) Written(ctx context.Context, c Call, u *Upload) (int64, error) {
	a, err := g.streams(u.Blob).QueryWriteStatus(g.outgoing(ctx, c), &bspb.QueryWriteStatusRequest{ResourceName: g.uploadName(u)})
	if err != nil {
		return 0, g.failure(ctx, err)
	}
	return a.CommittedSize, nil
}
