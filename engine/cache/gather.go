package cache

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
)

// Gather leaves the result of a step where a worker takes the outputs of an Action from: it moves
// every file among the outputs of s to .weft/out/cas/<sha256> below the root, copies the log and
// stdout, what was captured, to there, and writes the result to .weft/out/result. That is the message
// that [Disk.Save] keeps, without its seal. Action, Messages and Secret of s are not used. Nothing
// must write to the outputs any more. The error of an output that is not allowed is an [*Unusable].
func Gather(ctx context.Context, s *Saving, stdout io.Reader) error {
	r, err := s.list()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(blobsPath, 0o777); err != nil {
		return err
	}
	g := gatherer{root: root}
	defer g.c.close()
	for i := range r.Files {
		f := &r.Files[i]
		if f.Digest, err = g.move(ctx, f.Path); err != nil {
			return about(f.Path, err)
		}
	}
	if s.Log != nil {
		if _, err := s.Log.Seek(0, io.SeekStart); err != nil {
			return err
		}
		r.Stdout, err = g.write(ctx, s.Log)
	} else {
		r.Stdout = DigestOf(nil)
	}
	if err == nil && stdout != nil {
		s.Meta.Stdout, err = g.write(ctx, stdout)
	}
	if err != nil {
		return fmt.Errorf("the log: %w", err)
	}
	r.Metadata.Worker = "weft/1"
	r.SetLog(&s.Meta)
	b := r.Append(nil)
	if len(b) > MaxResult {
		return &Unusable{Why: fmt.Sprintf("there are too many outputs: the result has %d bytes, more than %d", len(b), MaxResult)}
	}
	return root.WriteFile(resultPath, b, 0o666)
}

// gatherer moves files to their place below root.
type gatherer struct {
	root *os.Root
	c    copier
}

// move moves the file at a path, and returns the digest of its content.
func (g *gatherer) move(ctx context.Context, p string) (Digest, error) {
	f, err := openRegular(&folder{root: g.root}, p)
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	blob, err := g.c.copy(ctx, nil, f)
	if err == nil {
		err = f.Chmod(0o644) // the worker may be another user
	}
	if err != nil {
		return Digest{}, err
	}
	return blob, g.root.Rename(p, blobPath(blob))
}

// write makes a file with the content of src, and returns its digest.
func (g *gatherer) write(ctx context.Context, src io.Reader) (blob Digest, err error) {
	const name = blobsPath + "/new"
	f, err := g.root.Create(name)
	if err != nil {
		return blob, err
	}
	blob, err = g.c.copy(ctx, f, src)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = g.root.Rename(name, blobPath(blob))
	}
	return blob, err
}

// blobPath returns where the file of a blob is gathered.
func blobPath(blob Digest) string { return blobsPath + "/" + blob.Hex() }

// Adopt keeps all blobs of a result that Gather has left below the directory root, and returns the
// result. Everything there may have been written by anyone: what is missing, is not a regular file, or
// differs from its digest is an error. The result must be checked before it is used.
func (d *Disk) Adopt(ctx context.Context, root string) (*ActionResult, error) {
	w, err := newWalker(root)
	if err != nil {
		return nil, err
	}
	defer w.close()
	b, err := readGathered(w)
	if err != nil {
		return nil, fmt.Errorf("its result: %w", err)
	}
	r, err := DecodeActionResult(b)
	if err != nil {
		return nil, err
	}
	meta, err := r.Log()
	if err != nil {
		return nil, err
	}
	a := adopter{disk: d, known: map[Digest]bool{{}: true, DigestOf(nil): true}}
	defer a.c.close()
	if a.blobs, err = w.to(blobsPath); err != nil {
		return nil, err
	}
	for i := range r.Files {
		if err := a.take(ctx, r.Files[i].Digest); err != nil {
			return nil, about(r.Files[i].Path, err)
		}
	}
	if err := a.take(ctx, r.Stdout); err != nil {
		return nil, fmt.Errorf("its log: %w", err)
	}
	return r, a.take(ctx, meta.Stdout)
}

func readGathered(w *walker) ([]byte, error) {
	dir, err := w.to(path.Dir(resultPath))
	if err != nil {
		return nil, err
	}
	f, err := openRegular(dir, path.Base(resultPath))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxResult+1))
}

// adopter keeps gathered blobs.
type adopter struct {
	disk  *Disk
	blobs *folder
	known map[Digest]bool // they need not be taken
	c     copier
}

func (a *adopter) take(ctx context.Context, blob Digest) error {
	if a.known[blob] {
		return nil
	}
	a.known[blob] = true
	f, err := openRegular(a.blobs, blob.Hex())
	if err != nil {
		return err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() != blob.Size {
		return &Damage{blob, "has another size"}
	}
	got, err := a.disk.putFile(ctx, f, &a.c)
	if err == nil && got != blob {
		err = &Damage{blob, "has other content"}
	}
	return err
}
