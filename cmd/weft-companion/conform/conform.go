// Package conform is the room of weft-companion that checks messages of programs against JSON
// Schemas. It defines the supported drafts and references; it does not know where messages come
// from.
package conform

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/weftrun/weft/engine/channel"
)

// Room checks messages. The zero Room is ready to use, and safe for concurrent use.
type Room struct {
	mu      sync.Mutex // guards schemas
	schemas map[string]*jsonschema.Schema
}

// Conform checks one message. An error in the schema itself is of the kind channel.Invalid.
func (r *Room) Conform(_ context.Context, q *channel.ConformRequest) (*channel.Verdict, error) {
	s, err := r.schema(q.Schema, q.Message == nil)
	if err != nil {
		return nil, &channel.Error{Kind: channel.Invalid, Text: err.Error()}
	}
	if q.Message == nil {
		return &channel.Verdict{}, nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(q.Message))
	if err == nil {
		err = s.Validate(v)
	}
	return &channel.Verdict{Problem: problem(err)}, nil
}

// schema returns the schema in a file, which is read once, and again if requested.
func (r *Room) schema(file string, again bool) (*jsonschema.Schema, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.schemas[file]; s != nil && !again {
		return s, nil
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(jsonschema.SchemeURLLoader{"file": jsonschema.FileLoader{}, "http": remote{}, "https": remote{}})
	s, err := c.Compile(file)
	if err != nil {
		return nil, err
	}
	if r.schemas == nil {
		r.schemas = map[string]*jsonschema.Schema{}
	}
	r.schemas[file] = s
	return s, nil
}

// remote refuses remote schemas.
type remote struct{}

var errRemote = errors.New("remote schemas are not supported; save it in a file, and refer to that")

// Load implements jsonschema.URLLoader.
func (remote) Load(string) (any, error) { return nil, errRemote }

// mostProblems is the number of problems reported per message.
const mostProblems = 5

// problem describes the problems of a message in one line, each with its place.
func problem(err error) string {
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		if err != nil {
			return err.Error()
		}
		return ""
	}
	var all []string
	var walk func(*jsonschema.OutputUnit)
	walk = func(u *jsonschema.OutputUnit) {
		if len(u.Errors) == 0 && u.Error != nil {
			all = append(all, fmt.Sprintf("%s: %s", cmp.Or(u.InstanceLocation, "/"), u.Error))
		}
		for i := range u.Errors {
			walk(&u.Errors[i])
		}
	}
	walk(invalid.DetailedOutput())
	if more := len(all) - mostProblems; more > 0 {
		all = append(all[:mostProblems], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, "; ")
}
