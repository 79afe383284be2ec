// Package cache keeps the results of steps, so that the same work is not done a second time. It
// owns the data model, which is that of the Bazel Remote Execution API v2 (REAPI): digests, the
// messages, the key under which a result is kept, and the store in a directory of this machine,
// [Disk]. It knows neither tasks nor their execution.
//
// A blob is a sequence of bytes, named by its [Digest]. An [Action] names a [Command] and a tree of
// [Directory] messages, its inputs. The digest of an Action is the key of an [ActionResult], which
// names the outputs and the log by their digests. Messages are blobs, too.
//
// # Encoding
//
// Messages are plain structs with a codec on package wire. The encoding is canonical: fields in
// ascending order, defaults omitted, no unknown fields, lists in the order that REAPI requires. It
// is byte for byte that of the official generated types, so that a directory, an HTTP cache and a
// gRPC cache hold the same bytes under the same digests. Readers skip fields they do not know.
package cache
