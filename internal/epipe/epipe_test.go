package epipe

import (
	"errors"
	"os"
	"testing"
)

func TestIs(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	if _, err := w.WriteString("x"); !Is(err) {
		t.Errorf("%v is another error", err)
	}
	if Is(nil) || Is(errors.New("EPIPE")) || Is(os.ErrClosed) {
		t.Error("another error is taken for it")
	}
}
