package pipe

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

// TestCapture: the right bytes are kept for every size and every division into pieces.
func TestCapture(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 300 {
		limit := int64(1 + r.IntN(1000))
		if r.IntN(4) == 0 {
			limit = inMemory + int64(r.IntN(inMemory))
		}
		all := make([]byte, r.Int64N(3*limit))
		for i := range all {
			all[i] = byte(r.IntN(256))
		}
		for _, overflow := range []Overflow{Fail, Head, Tail} {
			c := NewCapture(limit, overflow)
			var fault error
			for rest := all; len(rest) > 0 && fault == nil; {
				n := min(len(rest), 1+r.IntN(int(limit)))
				_, fault = c.Write(rest[:n])
				rest = rest[n:]
			}
			want := all
			if over := int64(len(all)) - limit; over > 0 {
				if want = all[:limit]; overflow == Tail {
					want = all[over:]
				}
			}
			var tooMuch *OverflowError
			if wantFault := overflow == Fail && len(want) < len(all); errors.As(fault, &tooMuch) != wantFault {
				t.Fatalf("limit %d, %d bytes, overflow %d: %v", limit, len(all), overflow, fault)
			}
			got, err := c.Bytes()
			if err != nil || !bytes.Equal(got, want) || c.Size() != int64(len(want)) {
				t.Fatalf("limit %d, %d bytes, overflow %d: %d bytes, %v", limit, len(all), overflow, len(got), err)
			}
			f, err := c.Open()
			if err != nil {
				t.Fatal(err)
			}
			again, _ := io.ReadAll(f)
			f.Close()
			if !bytes.Equal(again, want) {
				t.Fatal("the file has something else")
			}
			if overflow != Tail && len(want) > 2 {
				c.Truncate(2)
				if got, _ := c.Bytes(); !bytes.Equal(got, want[:2]) {
					t.Fatalf("after Truncate: %d bytes", len(got))
				}
			}
			c.Close()
		}
	}
}
