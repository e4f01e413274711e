package partition

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The kinds of a definition.
const (
	Hash      = "Hash"
	MultiHash = "MultiHash"
)

// ErrDefinition is returned when a container's partitionKey is not one the service takes.
var ErrDefinition = errors.New("invalid partition key definition")

// Definition is a container's partitionKey property, echoed as it was sent.
type Definition struct {
	Kind    string   `json:"kind"`
	Paths   []string `json:"paths"`
	Version int      `json:"version,omitempty"`

	segments [][]string // Paths, split
}

// UnmarshalJSON reads and checks a definition; its error wraps ErrDefinition.
func (d *Definition) UnmarshalJSON(text []byte) error {
	type plain Definition
	if err := json.Unmarshal(text, (*plain)(d)); err != nil {
		return fmt.Errorf("%w: it has a kind, a list of paths and a version that is 1 or 2", ErrDefinition)
	}
	if d.Kind == "" {
		d.Kind = Hash
	}
	switch {
	case d.Kind != Hash && d.Kind != MultiHash:
		return fmt.Errorf("%w: kind %q is neither Hash nor MultiHash", ErrDefinition, d.Kind)
	case d.Kind == Hash && len(d.Paths) != 1, len(d.Paths) < 1, len(d.Paths) > 3:
		return fmt.Errorf("%w: %d paths for kind %s", ErrDefinition, len(d.Paths), d.Kind)
	case d.Version < 0 || d.Version > 2:
		return fmt.Errorf("%w: version %d", ErrDefinition, d.Version)
	}
	d.segments = nil
	for _, path := range d.Paths {
		segments, err := Path(path)
		if err != nil {
			return err
		}
		d.segments = append(d.segments, segments)
	}
	return nil
}

// Segments returns the property names of each path.
func (d *Definition) Segments() [][]string { return d.segments }

// Extract returns the key that a document has under the definition. The error is
// ErrBadComponent or ErrTooLong.
func (d *Definition) Extract(doc sql.Value) (Key, error) {
	key := make(Key, len(d.segments))
	for i, path := range d.segments {
		key[i] = doc.Path(path)
	}
	return key, key.check()
}
