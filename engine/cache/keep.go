package cache

// Check returns an [*Unusable] if r, which may come from anyone, must not be restored. declared is
// that of [Restoring].
func (r *ActionResult) Check(declared func(path string) bool) error {
	_, err := r.outputs(declared)
	return err
}

// Blobs returns the blobs that are needed to restore r, each once, without the empty one. log is
// the description of its log.
func (r *ActionResult) Blobs(log *Log) []Digest {
	blobs := make([]Digest, 0, len(r.Files)+2)
	seen := make(map[Digest]bool, cap(blobs))
	add := func(d Digest) {
		if d.Size > 0 && !seen[d] {
			seen[d] = true
			blobs = append(blobs, d)
		}
	}
	for i := range r.Files {
		add(r.Files[i].Digest)
	}
	add(r.Stdout)
	add(log.Stdout)
	return blobs
}

// Keep keeps the result of a key that another machine has made, whose blobs are in d. It should
// have been restored before, so that nothing is kept that cannot be. r is not changed.
func (d *Disk) Keep(key *Key, r *ActionResult) error {
	own := *r
	own.Metadata.Auxiliary = nil
	for _, a := range r.Metadata.Auxiliary {
		if a.Type == logType {
			own.Metadata.Auxiliary = append(own.Metadata.Auxiliary, a)
		}
	}
	return d.keep(key.Action, key.Messages, own.sealed(key.Action))
}

// keep keeps a result, which is sealed, and the messages of its Action.
func (d *Disk) keep(action Digest, messages [][]byte, sealed []byte) error {
	for _, m := range messages {
		if _, err := d.Put(m); err != nil {
			return err
		}
	}
	dir, err := d.results.at(action.Hash[0], true)
	if err != nil {
		return err
	}
	d.changing()
	if err := dir.WriteFile(action.Hex(), sealed); err != nil {
		return err
	}
	d.added.Add(int64(len(sealed)))
	return nil
}
