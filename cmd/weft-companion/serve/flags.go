package serve

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftrun/weft/schema/diag"
)

// options are the values of the flags.
type options struct {
	listen       []string // HOST:PORT, or unix:PATH
	dir          string
	size         int64 // bytes
	maxBlob      int64 // bytes
	grace        time.Duration
	cert, key    string // PEM files; "" without TLS
	clientCA     string
	plaintext    bool
	tokens       string // file; "" without
	newToken     string // "read" or "write": print one, and do nothing else
	anonymous    right
	anonymousSet bool // it was chosen
	logRequests  bool
	greeting     time.Duration        // see greetingLimit
	sync         func(*os.File) error // has all that is on a file system written to the disk
}

const (
	defaultListen  = "127.0.0.1:8980"
	defaultSize    = 10 << 30
	defaultMaxBlob = 4 << 30
	defaultGrace   = 30 * time.Second
)

const help = `weft --cache=serve [-- FLAGS] is a cache server for weft, Bazel, moon and others.

  --listen ADDRESS      address to listen on: HOST:PORT, or unix:PATH; may be repeated (127.0.0.1:8980)
  --dir DIR             directory of the cache (~/.local/share/weft-serve)
  --size SIZE           maximum size; least recently used entries are removed (10GiB)
  --max-blob SIZE       maximum size of a blob (4GiB)
  --tls CERT,KEY        PEM files; they are read again on SIGHUP
  --client-ca FILE      PEM file of the authority that signs client certificates
  --plaintext           allow other machines without TLS, behind a proxy that has it
  --tokens FILE         who may read and write; it is read again on SIGHUP
  --new-token[=RIGHT]   print a token to read (or write) and its line for that file
  --anonymous RIGHT     what is allowed without a token: none, read or write (none; write where only
                        this machine can connect and there are neither tokens nor --client-ca)
  --grace DURATION      time for calls to end when the server is stopped (30s)
  --log=requests        log each call

See docs/remote.md.
`

// parseFlags returns what the flags say. After --help, which it answers, the error is flag.ErrHelp.
func parseFlags(args []string, stdout io.Writer) (*options, error) {
	o := &options{size: defaultSize, maxBlob: defaultMaxBlob, greeting: greetingLimit, sync: syncAll}
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.Func("listen", "", func(v string) error {
		o.listen = append(o.listen, v)
		return nil
	})
	f.StringVar(&o.dir, "dir", "", "")
	f.Func("size", "", sizeInto(&o.size))
	f.Func("max-blob", "", sizeInto(&o.maxBlob))
	f.DurationVar(&o.grace, "grace", defaultGrace, "")
	f.Func("tls", "", func(v string) (err error) {
		var ok bool
		if o.cert, o.key, ok = strings.Cut(v, ","); !ok || o.cert == "" || o.key == "" {
			return errors.New("two files are needed: CERT,KEY")
		}
		return nil
	})
	f.StringVar(&o.clientCA, "client-ca", "", "")
	f.BoolVar(&o.plaintext, "plaintext", false, "")
	f.StringVar(&o.tokens, "tokens", "", "")
	f.BoolFunc("new-token", "", func(v string) error {
		o.newToken = v
		if v == "true" {
			o.newToken = "read"
		}
		return oneOf(o.newToken, "read", "write")
	})
	f.Func("anonymous", "", func(v string) error {
		rights := []string{mayNothing: "none", mayRead: "read", mayWrite: "write"}
		o.anonymous, o.anonymousSet = right(slices.Index(rights, v)), true
		return oneOf(v, rights...)
	})
	f.Func("log", "", func(v string) error {
		o.logRequests = true
		return oneOf(v, "requests")
	})
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		io.WriteString(stdout, help)
		return nil, err
	case err != nil:
		return nil, err
	case f.NArg() > 0:
		return nil, fmt.Errorf("%s is not a flag; --help shows the flags", diag.Printable(f.Arg(0)))
	}
	return o, o.complete()
}

// complete sets what was not said, and checks what shows before anything is opened.
func (o *options) complete() (err error) {
	if len(o.listen) == 0 {
		o.listen = []string{defaultListen}
	}
	if o.dir == "" && o.newToken == "" {
		if o.dir, err = defaultDir(); err != nil {
			return err
		}
	}
	switch {
	case o.grace < 0:
		return errors.New("--grace is negative")
	case o.plaintext && o.cert != "":
		return errors.New("--plaintext and --tls contradict each other")
	case o.clientCA != "" && o.cert == "":
		return errors.New("--client-ca needs --tls")
	}
	return nil
}

// checkExposure refuses what would let others than this machine in by mistake. local says that only
// this machine can connect.
func (o *options) checkExposure(local bool) error {
	switch {
	case local:
		return nil
	case o.anonymous == mayWrite:
		return errors.New("--anonymous=write is only for local addresses: a writer determines what all others get")
	case o.tokens == "" && o.clientCA == "" && o.anonymous == mayNothing:
		return errors.New("other machines can connect, but nobody has any rights: set --tokens or --client-ca")
	case o.tokens == "" && o.clientCA == "":
		return errors.New("other machines can connect: set --tokens or --client-ca")
	case o.cert == "" && !o.plaintext:
		return errors.New("other machines can connect: set --tls CERT,KEY, or --plaintext behind a proxy that has TLS")
	}
	return nil
}

// defaultDir returns where the server keeps things if nothing else is said.
func defaultDir() (string, error) {
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) { // as its specification says
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("%w: set --dir", err)
		}
		data = filepath.Join(home, ".local", "share")
	}
	return filepath.Join(data, "weft-serve"), nil
}

func oneOf(v string, words ...string) error {
	if slices.Contains(words, v) {
		return nil
	}
	return errors.New("it is one of " + strings.Join(words, ", "))
}

// units are those of sizes, in ascending order: of 1024 each.
const units = "KMGT"

// sizeInto returns a function that reads a size: 500MiB, 10GiB, or a number of bytes.
func sizeInto(to *int64) func(string) error {
	return func(v string) error {
		n, err := parseSize(v)
		*to = n
		return err
	}
}

func parseSize(v string) (int64, error) {
	digits := strings.TrimRight(v, "iBKMGT")
	factor := int64(1)
	switch unit := v[len(digits):]; {
	case unit == "" || unit == "B":
	case len(unit) == 3 && unit[1:] == "iB" && strings.Contains(units, unit[:1]):
		factor = 1 << (10 * (1 + strings.Index(units, unit[:1])))
	default:
		return 0, errors.New("a size is a number with KiB, MiB, GiB or TiB")
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)/factor {
		return 0, errors.New("a size is a number above 0 with KiB, MiB, GiB or TiB")
	}
	return n * factor, nil
}

// formatSize returns a number of bytes in words: 1.2 MiB.
func formatSize(n int64) string {
	size, unit := float64(n), "B"
	for i := 0; size >= 1023.95 && i < len(units); i++ {
		size, unit = size/1024, units[i:i+1]+"iB"
	}
	if unit == "B" {
		return strconv.FormatInt(n, 10) + " B"
	}
	return strconv.FormatFloat(size, 'f', 1, 64) + " " + unit
}
