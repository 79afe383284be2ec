package schema

import (
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"

	"github.com/weftrun/weft/schema/diag"
	"github.com/weftrun/weft/schema/yaml"
)

// Connection is the server that the key `cache.remote`, or `remote`, of the root file names. After
// [Load] it is checked, variables of the environment are replaced except in Headers, and paths are
// absolute.
type Connection struct {
	URL     Text
	Headers []ConnectionHeader // in the order of the file
	Helper  Text               // credential helper; "" is none
	// CA, Cert and Key are PEM files: the authority to trust instead of the system's, and a client
	// certificate. "" is none.
	CA, Cert, Key Text
	ServerName    Text // in the server's certificate; "": the URL's host
	Insecure      bool // allows plain text beyond this machine

	tls     diag.Pos // of the key tls; invalid without it
	secrets []string // see Workflow.Credentials
}

// Credentials returns what tells the servers of w who asks: the token of the environment, passwords in
// URLs, and the values of headers that are made of variables or named authorization, also without a
// scheme as Bearer, and of these variables. They are as secret as secret variables.
func (w *Workflow) Credentials() (all []string) {
	if w.Cache != nil && w.Cache.Remote != nil {
		all = w.Cache.Remote.secrets
	}
	if w.Remote != nil {
		all = append(all[:len(all):len(all)], w.Remote.Server.secrets...)
	}
	return all
}

// ConnectionHeader is sent with every request. $NAME in its Value stands for a variable of the
// environment.
type ConnectionHeader struct {
	Name  string
	Value Text
}

const (
	headersForm       = `{"type":["object","null"],"additionalProperties":{"type":["string","number","boolean"]}}`
	connectionTLSForm = `{"anyOf":[{"type":"null"},{"$ref":"#/$defs/connectionTLS"}]}`
	connectionForm    = `{"anyOf":[{"type":["string","null"]},{"$ref":"#/$defs/connection"}]}`
)

var connectionKeys = []key[*Connection]{
	{"url", len(textForm), len("grpcs://HOST[:PORT][/INSTANCE], grpc://, unix:/PATH, https:// or http://."), func(d *decoder, n *yaml.Node, c *Connection) { c.URL = d.plain(n) }},
	{"headers", len(headersForm), len("Sent with every request, by name; $NAME is taken from the environment."), (*decoder).connectionHeaders},
	{"helper", len(textForm), len("Program that gives credentials, as Bazel's credential helpers do."), func(d *decoder, n *yaml.Node, c *Connection) { c.Helper = d.plain(n) }},
	{"tls", len(connectionTLSForm), len("Certificates, as PEM files."), (*decoder).connectionTLS},
	{"insecure", len(boolForm), len("Plain text is allowed beyond this machine; no credentials are sent then."), func(d *decoder, n *yaml.Node, c *Connection) { c.Insecure = d.flag(n) }},
}

var connectionTLSKeys = []key[*Connection]{
	{"ca", len(textForm), len("Authority to trust instead of the system's."), func(d *decoder, n *yaml.Node, c *Connection) { c.CA = d.plain(n) }},
	{"cert", len(textForm), len("Certificate of this client."), func(d *decoder, n *yaml.Node, c *Connection) { c.Cert = d.plain(n) }},
	{"key", len(textForm), len("Key of that certificate."), func(d *decoder, n *yaml.Node, c *Connection) { c.Key = d.plain(n) }},
	{"server_name", len(textForm), len("Name in the certificate of the server, if it is not its host."), func(d *decoder, n *yaml.Node, c *Connection) { c.ServerName = d.plain(n) }},
}

// plain reads a text about a server, in which nothing is a template.
func (d *decoder) plain(n *yaml.Node) Text {
	t := d.text(n)
	if IsTemplate(t.S) {
		d.failAt(t.Pos, "use $NAME for a variable of the environment", "%q: templates are not supported here", t.S)
	}
	return t
}

// sharedCache reads `cache.remote` of the root file: a URL or a map.
func (d *decoder) sharedCache(n *yaml.Node, c *Cache) {
	switch {
	case isNull(n):
		return
	case n.Kind == yaml.SequenceNode:
		d.wrongType(n, "a URL or a map")
		return
	}
	r := new(Connection)
	if n.Kind == yaml.MappingNode {
		if readMap(d, n, "cache.remote", connectionKeys, r); r.URL.S == "" {
			d.fail(n, "write url: grpcs://HOST/INSTANCE", "cache.remote: a map needs the key url")
			return
		}
	} else if r.URL = d.plain(n); r.URL.S == "" {
		return
	}
	d.literalPassword("cache.remote", r)
	c.Remote = r
}

// literalPassword warns of a password in the URL of the server that a key names.
func (d *decoder) literalPassword(key string, c *Connection) {
	if u, err := url.Parse(c.URL.S); err == nil && u.User != nil && !strings.Contains(c.URL.S, "$") {
		if _, has := u.User.Password(); has {
			d.suspectAt(c.URL.Pos, key+": everyone who may read the file can read this password", "", "use a variable of the environment: "+u.Scheme+"://USER:$PASSWORD@HOST")
		}
	}
}

func (d *decoder) connectionTLS(n *yaml.Node, c *Connection) {
	c.tls = d.pos(n)
	readMap(d, n, "tls", connectionTLSKeys, c)
}

func (d *decoder) connectionHeaders(n *yaml.Node, c *Connection) {
	d.eachPair(n, "a map", func(k, v *yaml.Node) {
		h := ConnectionHeader{k.Value, d.plain(v)}
		switch {
		case !isToken(h.Name) || strings.ContainsAny(h.Value.S, "\r\n\x00"):
			d.fail(k, "", "headers: %q is not the name of a header, or its value has several lines", h.Name)
			return
		case strings.EqualFold(h.Name, "authorization") && !strings.Contains(h.Value.S, "$"):
			d.suspect(v, "headers: everyone who may read the file can read this credential", "", "use a variable of the environment: 'Bearer $CACHE_TOKEN'")
		}
		c.Headers = append(c.Headers, h)
	})
}

// isToken reports whether s can be the name of a header.
func isToken(s string) bool {
	return s != "" && strings.Trim(s, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// connect completes and checks where results are shared, and where tasks run, also by the variables of
// the environment that replace what the file says.
func (l *loader) connect(w *Workflow) {
	l.connectCache(w)
	l.connectRemote(w)
}

// ignored warns that the server of a key is not used, because another machine's file names it.
func (l *loader) ignored(c *Connection, key, what, variable string) {
	l.list.Add(&diag.Diagnostic{Pos: c.URL.Pos, Severity: diag.Warning, Kind: diag.Suspicious, What: key + ": is ignored here",
		Why: "a file of another machine does not say where " + what, Fix: "set " + variable})
}

// connectRemote is connect for the key remote.
func (l *loader) connectRemote(w *Workflow) {
	const variable = "WEFT_REMOTE_URL"
	v, set := l.lookupEnv(variable)
	shared := w.Cache != nil && w.Cache.Remote != nil && w.Cache.Remote.executes()
	if w.Remote == nil {
		if !set && !shared {
			return
		}
		w.Remote = &Remote{Jobs: DefaultJobs}
	}
	r := w.Remote
	if l.root.url != nil && r.Server.URL.S != "" {
		l.ignored(&r.Server, "remote", "tasks run", variable)
		r.Server = Connection{}
	}
	switch {
	case set:
		r.Server.URL = Text{S: v}
	case r.Server.URL.S == "" && shared:
		r.Server = *w.Cache.Remote // it was checked
		return
	}
	if r.Server.URL.S != "" {
		l.complete(&r.Server, "remote", variable)
	} else if r.Mode != RemoteOff && !set {
		l.list.Add(&diag.Diagnostic{Pos: r.ModePos, Kind: diag.Decode, What: fmt.Sprintf("mode: %s: %s", r.Mode, NoServer), Fix: NoServerFix})
	}
}

// executes reports whether the server may be one that runs tasks.
func (c *Connection) executes() bool {
	scheme, _, _ := strings.Cut(c.URL.S, ":")
	return scheme == "grpc" || scheme == "grpcs" || scheme == "unix"
}

// connectCache is connect for the key cache.remote.
func (l *loader) connectCache(w *Workflow) {
	if c := w.Cache; c != nil && c.Remote != nil && l.root.url != nil {
		l.ignored(c.Remote, "cache.remote", "results go", "WEFT_CACHE_REMOTE")
		c.Remote = nil
	}
	if v, set := l.lookupEnv("WEFT_CACHE_REMOTE"); set {
		if w.Cache == nil {
			w.Cache = new(Cache)
		}
		switch {
		case v == "":
			w.Cache.Remote = nil
		case w.Cache.Remote == nil:
			w.Cache.Remote = &Connection{URL: Text{S: v}}
		default:
			w.Cache.Remote.URL = Text{S: v}
		}
	}
	if w.Cache == nil || w.Cache.Remote == nil {
		return
	}
	l.complete(w.Cache.Remote, "cache.remote", "WEFT_CACHE_REMOTE")
}

// complete completes and checks the server of a key, whose URL may be that of a variable.
func (l *loader) complete(c *Connection, key, variable string) {
	getenv := l.getenv
	if c.URL.Pos.IsValid() {
		c.URL.S = os.Expand(c.URL.S, getenv)
	}
	for i, t := range [...]*Text{&c.Helper, &c.ServerName, &c.CA, &c.Cert, &c.Key} {
		if t.S = os.Expand(t.S, getenv); t.S != "" && i > 1 {
			t.S = absolute(l.dir, t.S)
		}
	}
	token, has := l.lookupEnv("WEFT_CACHE_TOKEN")
	c.secrets = []string{token}
	hide := func(s string) string {
		c.secrets = append(c.secrets, s)
		return s
	}
	if u, err := url.Parse(c.URL.S); err == nil {
		password, _ := u.User.Password()
		hide(password)
	}
	for _, h := range c.Headers {
		secret := strings.EqualFold(h.Name, "authorization") // others are, if they are not in the file
		value := os.Expand(h.Value.S, func(name string) string {
			secret = true
			return hide(getenv(name))
		})
		if secret {
			hide(value)
			hide(value[strings.IndexByte(value, ' ')+1:])
		}
	}
	for _, p := range c.problems(has, key != "remote") {
		if !c.URL.Pos.IsValid() && !p.Pos.IsValid() {
			p.What = variable + ": " + p.What
		} else {
			p.What = key + ": " + p.What
		}
		p.Kind = diag.Decode
		l.list.Add(p)
	}
}

// problems returns what is wrong with c, which is complete. token means that there is a token in
// the environment; web, that the server may be one of the HTTP cache.
func (c *Connection) problems(token, web bool) (list connectionProblems) {
	forms, of := "write grpcs://HOST[:PORT][/INSTANCE], https://HOST/PATH or unix:/PATH", "a cache"
	if !web {
		forms, of = "write grpcs://HOST[:PORT][/INSTANCE] or unix:/PATH", "a server that runs tasks"
	}
	at := c.URL.Pos
	u, err := url.Parse(c.URL.S)
	if err != nil {
		why := err.(*url.Error).Err.Error()
		if strings.Contains(c.URL.S, "@") { // why may have a part of a password
			why = "special characters of a user or password must be written as %2F"
		}
		list.add(at, forms, "it is no URL: %s", why)
		return list
	}
	shown := c.URL.S
	if strings.Contains(shown, "@") { // it may have a password
		shown = u.Scheme + "://…@" + u.Host
	}
	local, plain := false, false
	scheme := u.Scheme
	if !web && (scheme == "http" || scheme == "https") {
		scheme = ""
	}
	switch scheme {
	case "unix":
		if local = true; u.Host != "" || !strings.HasPrefix(u.Path, "/") {
			list.add(at, "write unix:/PATH", "%q has no absolute path", shown)
		}
	case "grpc", "http":
		plain, local = true, loopback(u.Hostname())
		fallthrough
	case "grpcs", "https":
		if u.Hostname() == "" {
			list.add(at, forms, "%q has no host", shown)
			return list
		}
	default:
		list.add(at, forms, "%q is no URL of %s", shown, of)
		return list
	}
	if u.RawQuery != "" || u.Fragment != "" {
		list.add(at, "remove it", "%q has a query or a fragment", shown)
	}
	if plain && !local && !c.Insecure {
		list.add(at, fmt.Sprintf("use %ss://, or write insecure: true if the network can be trusted", u.Scheme), "%q is plain text beyond this machine", shown)
	}
	if c.Insecure {
		secret := ""
		switch {
		case len(c.Headers) > 0:
			secret, at = "headers", c.Headers[0].Value.Pos
		case c.Helper.S != "":
			secret, at = "helper", c.Helper.Pos
		case c.tls.IsValid():
			secret, at = "tls", c.tls
		case u.User != nil:
			secret = "a user in the URL"
		case token:
			secret = "WEFT_CACHE_TOKEN"
		}
		if secret != "" {
			list.add(at, "remove one of them", "insecure beside %s, which everyone on the way could read", secret)
		}
	}
	if (c.Cert.S == "") != (c.Key.S == "") {
		list.add(c.tls, "name both files", "tls: cert and key belong together")
	}
	files := []Text{c.CA, c.Cert, c.Key}
	if strings.HasPrefix(c.Helper.S, "/") {
		files = append(files, c.Helper)
	}
	for _, file := range files {
		if file.S == "" {
			continue
		}
		if st, err := os.Stat(file.S); err != nil {
			list.add(file.Pos, "", "%s: %s", file.S, reason(err))
		} else if !st.Mode().IsRegular() {
			list.add(file.Pos, "", "%s is not a file", file.S)
		}
	}
	return list
}

// connectionProblems are what is wrong with a Connection.
type connectionProblems []*diag.Diagnostic

//go:noinline
func (l *connectionProblems) add(at diag.Pos, fix, format string, args ...any) {
	*l = append(*l, &diag.Diagnostic{Pos: at, What: fmt.Sprintf(format, args...), Fix: fix})
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// lookupEnv returns a variable of the environment, and whether there is one.
func (l *loader) lookupEnv(name string) (string, bool) {
	for i := len(l.o.Environ) - 1; i >= 0; i-- {
		if k, v, _ := strings.Cut(l.o.Environ[i], "="); k == name {
			return v, true
		}
	}
	return "", false
}
