package state

// maxListings is the size of the file of listings that is read, in bytes.
const maxListings = 1 << 28

// Listings returns what [Store.PutListings] has kept, or nil. It does not read the state, about which
// it may have to warn: that may not be needed.
func (s *Store) Listings() []byte {
	d, err := s.place.Open()
	if err != nil {
		return nil
	}
	defer d.Close()
	b, _ := d.ReadFile(listingsName, maxListings)
	return b
}

// PutListings keeps directory listings for later runs, if the state has been read. They are a
// shortcut: if they cannot be written, nothing is lost.
func (s *Store) PutListings(b []byte) {
	if b != nil && !s.o.ReadOnly && !s.disabled && s.log.dir != nil {
		s.log.dir.WriteFile(listingsName, b)
	}
}
