package state

// maxListings is the size of the file of listings that is read, in bytes.
const maxListings = 1 << 28

// Listings returns what [Store.PutListings] has kept, or nil.
func (s *Store) Listings() []byte {
	s.Read()
	if s.disabled || s.log.dir == nil {
		return nil
	}
	b, _ := s.log.dir.ReadFile(listingsName, maxListings)
	return b
}

// PutListings keeps directory listings for later runs. They are a shortcut: if they cannot be
// written, nothing is lost.
func (s *Store) PutListings(b []byte) {
	s.Read()
	if b != nil && !s.o.ReadOnly && !s.disabled && s.log.dir != nil {
		s.log.dir.WriteFile(listingsName, b)
	}
}
