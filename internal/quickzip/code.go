package quickzip

import "math/bits"

// lengths are the lengths of the code of all blocks, in bits, as hexadecimal digits: those of the
// 286 symbols for bytes, the end and lengths of matches, and of the 30 for distances. They suit
// the events of long runs, whose symbols were counted for them. Each symbol has a code.
const lengths = "" +
	"ffffffffffffffffffffffffffffffffaf8fffffffff9bbe54445555559fffffffffffffffffffff" +
	"ffffcfffffddfdfbf666656fcafcbaaaafa99bdfceffffefffffffffffffffffffffffffffffffff" +
	"fffffffffffffffffffffffffffffffffffffffffffffffffffffffffefeffffeeffffffffffffff" +
	"ffffffffffffffffffff59bc954457558a75647ff5ffffeeeeedd74dec9a4485365656523545"

const (
	literalSymbols  = 286
	distanceSymbols = 30
	endOfBlock      = 256
	shortest        = 3   // bytes that a match has
	longest         = 258 // bytes that a match has
)

// symbol is the code of a symbol: its bits, the first one lowest, and their number.
type symbol struct {
	bits uint32
	n    uint8
}

// code are the symbols of all blocks.
type code struct {
	literals  [256]symbol
	end       symbol
	lengths   [longest - shortest + 1]symbol // of matches, with the bits behind the symbol
	distances [distanceSymbols]symbol
}

func newCode() *code {
	c := new(code)
	all := canonical(lengths[:literalSymbols])
	copy(c.literals[:], all)
	c.end = all[endOfBlock]
	for i := range c.lengths {
		if i == longest-shortest {
			c.lengths[i] = all[literalSymbols-1]
			break
		}
		group, extra := split(uint32(i), 4)
		c.lengths[i] = all[endOfBlock+1+group].with(uint32(i), extra)
	}
	copy(c.distances[:], canonical(lengths[literalSymbols:]))
	return c
}

// distance returns the code of a distance, from 1.
func (c *code) distance(back uint32) symbol {
	group, extra := split(back-1, 2)
	return c.distances[group].with(back-1, extra)
}

// split returns the group of n, and the number of bits that select n within it. There are groups of
// one number, of two, of four and so on, equally many of each size except the first, of which there
// are twice as many.
func split(n uint32, groups uint32) (group, extra uint32) {
	if n < 2*groups {
		return n, 0
	}
	extra = uint32(bits.Len32(n/groups)) - 1
	return extra*groups + n>>extra, extra
}

// with returns s with the lowest bits of n behind it.
func (s symbol) with(n, extra uint32) symbol {
	return symbol{s.bits | n&(1<<extra-1)<<s.n, s.n + uint8(extra)}
}

// canonical returns the symbols of the code with these lengths, see RFC 1951, 3.2.2.
func canonical(lengths string) []symbol {
	all := make([]symbol, len(lengths))
	next := uint32(0)
	for n := uint8(1); n <= 15; n++ {
		next <<= 1
		for i := range lengths {
			if digit(lengths[i]) == n {
				all[i] = symbol{bits.Reverse32(next) >> (32 - n), n}
				next++
			}
		}
	}
	return all
}

func digit(c byte) uint8 {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// describe writes the lengths in the form of the head of a block. The code for them has four bits
// for each length.
func (c *code) describe(put func(symbol)) {
	put(symbol{literalSymbols - 257, 5})
	put(symbol{distanceSymbols - 1, 5})
	put(symbol{19 - 4, 4})
	for i := range 19 { // in the order of 3.2.7, in which three that repeat others are first
		n := uint32(4)
		if i < 3 {
			n = 0
		}
		put(symbol{n, 3})
	}
	for i := range len(lengths) {
		put(symbol{bits.Reverse32(uint32(digit(lengths[i]))) >> 28, 4})
	}
}
