// Package channel carries messages between weft and weft-companion over two pipes. It owns the
// messages, their numbers and their limits; it does not know which program starts the other,
// or how requests are handled.
//
//	weft                           weft-companion
//	Client ── frame, frame … ──▶ Serve ── a goroutine a request ──▶ Handler
//	       ◀── answers, in any order ──
//
// A frame is a length (4 bytes, little-endian, at most [MaxFrame]) and a message in the wire
// form of proto3. The first message each way is a [Hello]; both must have the same [Number]
// and version. Every request has its own number and gets exactly one answer, even if it is
// cancelled. Only that of an [ExecuteRequest] may be preceded by stages. At most [MaxOpen] requests are open, which limits the memory of both sides.
// Anything else is an error that ends the channel.
package channel
