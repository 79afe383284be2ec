package schema

import (
	"bytes"

	"gopkg.in/yaml.v3"
)

// DecodeYAML reads any YAML value, for the template functions.
func DecodeYAML(src string) (any, error) {
	var v any
	err := yaml.Unmarshal([]byte(src), &v)
	return v, err
}

// EncodeYAML writes v as YAML.
func EncodeYAML(v any) (string, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return b.String(), enc.Close()
}
