package cache

import (
	"errors"
	"reflect"
	"testing"
)

// TestKeep: a result of another machine is kept like an own one, without the parts that are none
// of weft's.
func TestKeep(t *testing.T) {
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	key, err := NewKey(&Inputs{Files: []File{{Path: "a", Digest: DigestOf([]byte("a"))}}})
	if err != nil {
		t.Fatal(err)
	}
	meta := Log{Marks: []Mark{{Command: 1}}}
	r := &ActionResult{Files: []OutputFile{{Path: "b", Digest: DigestOf([]byte("b"))}}, Metadata: ExecutedActionMetadata{Worker: "weft/1"}}
	r.SetLog(&meta)
	want := *r
	foreign, err := DecodeActionResult(r.sealed(DigestOf([]byte("another key"))))
	if err != nil {
		t.Fatal(err)
	}
	foreign.Metadata.Auxiliary = append([]Any{{Type: "type.googleapis.com/other"}}, foreign.Metadata.Auxiliary...)
	if err := d.Keep(key, foreign); err != nil {
		t.Fatal(err)
	}
	if len(foreign.Metadata.Auxiliary) != 3 {
		t.Error("the result was changed")
	}
	got, err := d.Lookup(key.Action)
	if err != nil || !reflect.DeepEqual(got, &want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, m := range key.Messages {
		if f, err := d.OpenBlob(t.Context(), DigestOf(m)); err != nil {
			t.Error(err)
		} else {
			f.Close()
		}
	}
}

func TestBlobs(t *testing.T) {
	a, b, empty := DigestOf([]byte("a")), DigestOf([]byte("b")), DigestOf(nil)
	r := &ActionResult{Files: []OutputFile{{Digest: a}, {Digest: empty}, {Digest: b}, {Digest: a}}, Stdout: b}
	if got := r.Blobs(&Log{}); !reflect.DeepEqual(got, []Digest{a, b}) {
		t.Errorf("got %v", got)
	}
	c := DigestOf([]byte("c"))
	if got := r.Blobs(&Log{Stdout: c}); !reflect.DeepEqual(got, []Digest{a, b, c}) {
		t.Errorf("got %v", got)
	}
}

func TestCheck(t *testing.T) {
	r := &ActionResult{Files: []OutputFile{{Path: "a", Digest: DigestOf(nil)}}}
	for declared, allowed := range map[string]bool{"a": true, "b": false} {
		err := r.Check(func(p string) bool { return p == declared })
		if _, unusable := errors.AsType[*Unusable](err); unusable == allowed {
			t.Errorf("%s: %v", declared, err)
		}
	}
}
