// Package channel is what weft and weft-companion say to one another over two
// pipes. It owns the messages, their numbers and their limits; it knows neither
// who starts whom nor what a request is answered with.
//
//	weft                           weft-companion
//	Client ── frame, frame … ──▶ Serve ── a goroutine a request ──▶ Handler
//	       ◀── answers, in any order ──
//
// A frame is a length (4 bytes, little-endian, at most [MaxFrame]) and a message
// in the wire form of proto3. The first is a [Hello] each way; the two must be
// of the same [Number] and version. Every request has a number of its own and
// gets exactly one answer, also when it is cancelled; at most [MaxOpen] are open,
// which bounds what both sides hold. Anything else is an error that ends the
// channel.
package channel
