package serve

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// Results travel as they are, or as JSON for clients that say so, as moon does.
const jsonType = "application/json"

// isJSON reports whether a header names JSON as the type.
func isJSON(header string) bool {
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && kind == jsonType
}

// getResult answers GET and HEAD of a result.
func (s *web) getResult(p place, w *answer, q *http.Request) error {
	r, err := s.lookUp(resultKey(p.instance, p.hash))
	if err != nil {
		return err
	}
	var b []byte
	if w.Header().Set("Vary", "Accept"); isJSON(q.Header.Get("Accept")) {
		w.Header().Set("Content-Type", jsonType)
		b, err = protojson.Marshal(r)
	} else {
		w.Header().Set("Content-Type", "application/octet-stream")
		b, err = proto.Marshal(r)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(http.StatusOK)
	if q.Method == http.MethodGet {
		_, err = w.Write(b)
	}
	return err
}

// putResult answers PUT of a result.
func (s *web) putResult(c *call, p place, w *answer, q *http.Request) error {
	if err := c.caller.checkInstance(p.instance); err != nil {
		return err
	}
	b, err := readResultBody(w, q)
	if err != nil {
		return err
	}
	r := new(repb.ActionResult)
	if isJSON(q.Header.Get("Content-Type")) {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(b, r)
	} else {
		err = proto.Unmarshal(b, r)
	}
	if err != nil {
		return refuse(malformed, "this is not a result: %v", err)
	}
	if err := s.store.putResult(resultKey(p.instance, p.hash), r); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// readResultBody returns the body of a request, decompressed if need be.
func readResultBody(w http.ResponseWriter, q *http.Request) ([]byte, error) {
	packed, err := isPacked(q)
	if err != nil {
		return nil, err
	}
	var from io.Reader = http.MaxBytesReader(w, q.Body, maxResult)
	if packed {
		d, err := codecs.Decoder(from)
		if err != nil {
			return nil, unpackError(err)
		}
		defer codecs.KeepDecoder(d)
		from = io.LimitReader(d, maxResult+1)
	}
	b, err := io.ReadAll(from)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large) || len(b) > maxResult:
		return nil, refuse(tooLarge, "a result may have at most %d bytes", maxResult)
	case err != nil:
		return nil, refuse(malformed, "the request cannot be read: %v", err)
	}
	return b, nil
}
