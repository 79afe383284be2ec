package serve

import (
	"context"
	"errors"
	"io"
	"sync"

	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftrun/weft/engine/cache"
)

// chunk is the number of bytes of a blob in a message.
const chunk = 256 << 10

// chunks are buffers of that size that are not in use.
var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// byteStream moves blobs that are too large for batches.
type byteStream struct {
	rpcServer
	bspb.UnimplementedByteStreamServer
}

// Read implements [bspb.ByteStreamServer].
func (s byteStream) Read(q *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
	r, err := parseResource(q.ResourceName)
	switch {
	case err != nil:
		return err
	case r.upload != "":
		return refuse(malformed, "%.200q is an upload, which cannot be read", q.ResourceName)
	case q.ReadOffset < 0 || q.ReadOffset > r.digest.Size:
		return refuse(badRange, "the blob has %d bytes, so it cannot be read from offset %d", r.digest.Size, q.ReadOffset)
	case q.ReadLimit < 0 || r.zstd && q.ReadLimit != 0:
		return refuse(malformed, "a stream cannot have the limit %d", q.ReadLimit)
	}
	n := r.digest.Size - q.ReadOffset
	if q.ReadLimit > 0 {
		n = min(n, q.ReadLimit)
	}
	content, err := s.content(r.digest, q.ReadOffset)
	s.metrics.looked(err == nil)
	if err != nil {
		return err
	}
	defer content.Close()
	to := &sender{stream: stream}
	if r.zstd {
		err = packInto(to, io.LimitReader(content, n))
	} else {
		err = send(to, io.LimitReader(content, n))
	}
	if err == nil {
		s.metrics.sent.Add(n)
	}
	return err
}

// content returns a blob from an offset on.
func (s byteStream) content(d cache.Digest, offset int64) (io.ReadCloser, error) {
	if d.Size == 0 {
		return io.NopCloser(io.LimitReader(nil, 0)), nil
	}
	f, _, err := s.store.open(d.Hash, d.Size)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sender sends what is written to it, as one message each.
type sender struct{ stream bspb.ByteStream_ReadServer }

func (s *sender) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return len(b), s.stream.Send(&bspb.ReadResponse{Data: b})
}

// send sends all of from.
func send(to *sender, from io.Reader) error {
	buffer := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buffer)
	_, err := io.CopyBuffer(to, struct{ io.Reader }{from}, buffer[:])
	return err
}

// Write implements [bspb.ByteStreamServer].
func (s byteStream) Write(stream bspb.ByteStream_WriteServer) error {
	first, err := stream.Recv()
	if err != nil {
		return early(err)
	}
	r, err := parseResource(first.ResourceName)
	switch {
	case err != nil:
		return err
	case r.upload == "":
		return refuse(malformed, "%.200q is not an upload", first.ResourceName)
	case first.WriteOffset < 0:
		return refuse(malformed, "a stream cannot begin at offset %d", first.WriteOffset)
	}
	if s.store.has(r.digest) {
		committed := r.digest.Size
		if r.zstd {
			committed = -1
		}
		return stream.SendAndClose(&bspb.WriteResponse{CommittedSize: committed})
	}
	from := &receiver{stream: stream, name: first.ResourceName, next: first}
	if r.zstd {
		err = s.writePacked(from, r.digest)
	} else {
		err = s.writeRaw(from, r.digest)
	}
	if err != nil {
		return err
	}
	return stream.SendAndClose(&bspb.WriteResponse{CommittedSize: from.n})
}

// writeRaw receives a blob as it is. What breaks off can be resumed.
func (s byteStream) writeRaw(from *receiver, d cache.Digest) (err error) {
	from.n = from.next.WriteOffset
	one, turn, err := s.partial.claim(from.name, from.n, s.partialOf(d))
	if err != nil {
		return err
	}
	for {
		var m *bspb.WriteRequest
		if m, err = from.message(); err != nil {
			break
		}
		at := from.n
		from.n += int64(len(m.Data))
		if err = one.write(turn, at, m.Data); err != nil {
			break
		}
		if m.FinishWrite {
			return s.partial.finish(from.name, one, turn)
		}
	}
	var r *refusal
	s.partial.leave(from.name, one, turn, !errors.As(err, &r))
	return err
}

// writePacked receives a blob that is compressed.
func (s byteStream) writePacked(from *receiver, d cache.Digest) error {
	if from.next.WriteOffset != 0 {
		return refuse(malformed, "a compressed stream cannot be resumed: begin it again")
	}
	u, err := s.store.create(d)
	if err != nil {
		return err
	}
	if err := receivePacked(u, from); err != nil {
		u.discard()
		if from.failed != nil && from.failed != io.EOF {
			return from.failed
		}
		return err
	}
	return u.commit()
}

// receivePacked decompresses all of from into u.
func receivePacked(u *upload, from io.Reader) error {
	d, err := codecs.Decoder(from)
	if err != nil {
		return unpackError(err)
	}
	defer codecs.KeepDecoder(d)
	buffer := chunks.Get().(*[chunk]byte)
	defer chunks.Put(buffer)
	for {
		n, err := d.Read(buffer[:])
		if n > 0 {
			if _, err := u.Write(buffer[:n]); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return unpackError(err)
		}
	}
}

// receiver reads the messages of an upload. As an [io.Reader] it has their data.
type receiver struct {
	stream bspb.ByteStream_WriteServer
	name   string
	next   *bspb.WriteRequest // that was received and not read
	n      int64              // bytes that were read
	rest   []byte             // of the last message, for Read
	last   bool               // there are no more messages
	failed error              // why there are none
}

// message returns the next message.
func (r *receiver) message() (*bspb.WriteRequest, error) {
	m := r.next
	r.next = nil
	if m == nil {
		var err error
		if m, err = r.stream.Recv(); err != nil {
			return nil, early(err)
		}
	}
	switch {
	case m.ResourceName != "" && m.ResourceName != r.name:
		return nil, refuse(malformed, "a stream is for one upload, not also for %.200q", m.ResourceName)
	case m.WriteOffset != r.n:
		return nil, refuse(malformed, "after %d bytes a stream cannot continue at offset %d", r.n, m.WriteOffset)
	}
	return m, nil
}

// Read implements [io.Reader].
func (r *receiver) Read(b []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.last {
			r.failed = io.EOF
			return 0, io.EOF
		}
		m, err := r.message()
		if err != nil {
			r.failed = err
			return 0, err
		}
		r.rest, r.last = m.Data, m.FinishWrite
		r.n += int64(len(m.Data))
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// early returns the error of a stream that has no more messages. It can be resumed.
func early(err error) error {
	if err == io.EOF {
		return status.Error(codes.InvalidArgument, "the stream ended before finish_write")
	}
	return err
}

// QueryWriteStatus implements [bspb.ByteStreamServer].
func (s byteStream) QueryWriteStatus(_ context.Context, q *bspb.QueryWriteStatusRequest) (*bspb.QueryWriteStatusResponse, error) {
	r, err := parseResource(q.ResourceName)
	if err != nil {
		return nil, err
	}
	if r.upload == "" {
		return nil, refuse(malformed, "%.200q is not an upload", q.ResourceName)
	}
	if s.store.has(r.digest) {
		return &bspb.QueryWriteStatusResponse{CommittedSize: r.digest.Size, Complete: true}, nil
	}
	n, ok := s.partial.reached(q.ResourceName)
	if !ok {
		return nil, refuse(absent, "there is no such upload")
	}
	return &bspb.QueryWriteStatusResponse{CommittedSize: n}, nil
}
