package schema

import (
	"reflect"
	"time"

	"github.com/weftrun/weft/schema/yaml"
)

// Settings is the content of a `.taskrc` file. Nil and empty fields are not set there.
type Settings struct {
	Verbose      *bool          `yaml:"verbose"`
	Silent       *bool          `yaml:"silent"`
	Color        *bool          `yaml:"color"`
	DisableFuzzy *bool          `yaml:"disable-fuzzy"`
	Interactive  *bool          `yaml:"interactive"`
	Failfast     *bool          `yaml:"failfast"`
	Concurrency  *int           `yaml:"concurrency"`
	TempDir      *string        `yaml:"temp-dir"`
	Experiments  map[string]int `yaml:"experiments"`
	Remote       RemoteSettings `yaml:"remote"`
}

// RemoteSettings are about Taskfiles that are fetched.
type RemoteSettings struct {
	Insecure     *bool          `yaml:"insecure"`
	Offline      *bool          `yaml:"offline"`
	Timeout      *time.Duration `yaml:"timeout"`
	CacheExpiry  *time.Duration `yaml:"cache-expiry"`
	CacheDir     *string        `yaml:"cache-dir"`
	TrustedHosts []string       `yaml:"trusted-hosts"`
	CACert       *string        `yaml:"cacert"`
	Cert         *string        `yaml:"cert"`
	CertKey      *string        `yaml:"cert-key"`
	Headers      []HostHeaders  `yaml:"headers"`
}

// HostHeaders are header lines for requests to one host, named with its port if
// it has one. Values are templates without variables.
type HostHeaders struct {
	Host    string            `yaml:"host"`
	Headers map[string]string `yaml:"headers"`
	// Project means that a file of the project sets it, not one of the user.
	Project bool `yaml:"-"`
}

// DecodeSettings reads one `.taskrc` file. Keys it does not know are passed over; a file that is
// not YAML, or has a value of the wrong type, is an error as a whole.
func DecodeSettings(src []byte) (*Settings, error) {
	s := new(Settings)
	if err := yaml.Unmarshal(src, s); err != nil {
		return nil, err
	}
	return s, nil
}

// Inherit sets the unset fields of s to those of outer, which come from a file farther away.
func (s *Settings) Inherit(outer *Settings) {
	inherit(reflect.ValueOf(s).Elem(), reflect.ValueOf(outer).Elem())
}

// inherit does it for structs: a nil value is set, lists and maps are combined.
func inherit(to, outer reflect.Value) {
	for i := range to.NumField() {
		switch field, from := to.Field(i), outer.Field(i); field.Kind() {
		case reflect.Struct:
			inherit(field, from)
		case reflect.Slice:
			field.Set(reflect.AppendSlice(field, from))
		case reflect.Map:
			all := reflect.MakeMap(field.Type())
			for _, m := range [...]reflect.Value{from, field} {
				for key, v := range m.Seq2() {
					all.SetMapIndex(key, v)
				}
			}
			field.Set(all)
		default:
			if field.IsNil() {
				field.Set(from)
			}
		}
	}
}
