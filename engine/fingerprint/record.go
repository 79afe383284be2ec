package fingerprint

import (
	"encoding/binary"
	"errors"

	"github.com/weftrun/weft/engine/fingerprint/state"
)

// head is what is recorded of a success, as far as a run with nothing to do looks at
// it. The body says what its digests are made of, for files whose stat changed, and
// for people.
type head struct {
	texts       Digest // Inputs.digest
	sources     Digest // fileSet.digest
	sourceStats statSum
	madeStats   statSum // of what was generated
	at          int64   // when it was checked, nanoseconds: before the commands ran
	young       bool    // some stat proves nothing: look closer
}

const headSize = 2*len(Digest{}) + 2*len(statSum{}) + 8 + 1

var errRecord = errors.New("not a record of this version")

func (h *head) encode() []byte {
	b := make([]byte, 0, headSize)
	b = append(b, h.texts[:]...)
	b = append(b, h.sources[:]...)
	b = append(b, h.sourceStats[:]...)
	b = append(b, h.madeStats[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.at))
	return append(b, flag(h.young))
}

// decodeHead reads what encode wrote.
func decodeHead(b []byte) (*head, error) {
	if len(b) != headSize || b[headSize-1] > 1 {
		return nil, errRecord
	}
	h := &head{}
	b = b[copy(h.texts[:], b):]
	b = b[copy(h.sources[:], b):]
	b = b[copy(h.sourceStats[:], b):]
	b = b[copy(h.madeStats[:], b):]
	h.at = int64(binary.LittleEndian.Uint64(b))
	h.young = b[8] == 1
	return h, nil
}

// recorded returns the record of k and its head, nil if there is none.
func (by *Checker) recorded(k state.Key) (state.Record, *head) {
	r, ok := by.state.Get(k)
	if !ok {
		return r, nil
	}
	h, err := decodeHead(r.Head)
	if err != nil {
		return r, nil
	}
	return r, h
}

// recordedBody returns the body of a record of k, or nil when it is lost.
func (by *Checker) recordedBody(k state.Key, r state.Record) *body {
	b, err := decodeBody(by.state.Body(k, r))
	if err != nil {
		return nil
	}
	return b
}
