package main

import (
	"context"

	"github.com/weftrun/weft/engine/channel"
	"github.com/weftrun/weft/engine/companion"
	"github.com/weftrun/weft/internal/limit"
)

// schemas checks the messages of programs by the second program, because linking the library would
// slow every start.
type schemas struct{ second *companion.Companion }

var errUnchecked = limit.Bytes("a message that has a schema", channel.MaxFrame)

// Conform implements command.Schemas.
func (s schemas) Conform(ctx context.Context, file string, message []byte) (problem string, err error) {
	const beside = 64 << 10 // for the path, and the framing of the message
	if len(message) > channel.MaxFrame-beside {
		return "", errUnchecked
	}
	v, err := s.second.Conform(ctx, &channel.ConformRequest{Schema: file, Message: message})
	if err != nil {
		return "", err
	}
	return v.Problem, nil
}
