package index

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// path is the hash of a path, FNV-1a. Entries have its last four bytes.
type path uint64

const (
	noPath   path = 14695981039346656037
	fnvPrime path = 1099511628211
)

// below is the path of a property, or of the elements (sql.Element), of what is at p.
func (p path) below(name string) path {
	for i := range len(name) {
		p = (p ^ path(name[i])) * fnvPrime
	}
	return (p ^ 0xFF) * fnvPrime // a byte that no name has
}

func (p path) append(dst []byte) []byte { return binary.BigEndian.AppendUint32(dst, uint32(p)) }

func hashed(names []string) path {
	p := noPath
	for _, name := range names {
		p = p.below(name)
	}
	return p
}

// PathSize is the length of a path in an entry.
const PathSize = 4

// Path is the form that a path has in entries.
func Path(names []string) []byte { return hashed(names).append(nil) }

// mark is what a policy says: of a value, or of what is below it.
type mark int8

const (
	unsaid mark = iota
	in
	out
)

// Paths tells which values of a document are indexed. It is immutable.
type Paths struct{ root *rule }

// rule is what a policy says of a path.
type rule struct {
	value, all mark // of the value itself (/?), of it and all below (/*)
	kids       map[string]*rule
}

// always are indexed whatever the policy says, where anything is.
var always = []string{"id", "_ts"}

// system are properties of the service that are not in an index of ours.
var system = map[string]bool{"_rid": true, "_self": true, "_etag": true, "_attachments": true}

// NewPaths takes included and excluded paths, in segments that end with * for everything below or ? for the value itself;
// [] stands for the elements of an array. The longest path that covers a value decides, and ? before *.
func NewPaths(included, excluded [][]string) *Paths {
	p := &Paths{root: &rule{}}
	for _, segments := range included {
		p.root.say(segments, in)
	}
	for _, segments := range excluded {
		p.root.say(segments, out)
	}
	for _, name := range always {
		p.root.say([]string{name, "?"}, in)
	}
	return p
}

func (r *rule) say(segments []string, m mark) {
	for i, name := range segments {
		switch {
		case name == "*" && i == len(segments)-1:
			r.all = m
			return
		case name == "?" && i == len(segments)-1:
			r.value = m
			return
		case name == "[]":
			name = sql.Element
		}
		if r.kids == nil {
			r.kids = map[string]*rule{}
		}
		if r.kids[name] == nil {
			r.kids[name] = &rule{}
		}
		r = r.kids[name]
	}
	r.value = m // a path without an end is that of a value
}

// at is what holds for a value, and for what is below it unless more is said, when m holds above.
func (r *rule) at(m mark) (value, below mark) {
	if r == nil {
		return m, m
	}
	if r.all != unsaid {
		m = r.all
	}
	if r.value != unsaid {
		return r.value, m
	}
	return m, m
}

func (r *rule) kid(name string) *rule {
	if r == nil {
		return nil
	}
	return r.kids[name]
}

// Has tells whether the index has an entry for a value at a path.
func (p *Paths) Has(names []string) bool {
	return len(names) > 0 && !system[names[0]] && p.Include(names)
}

// Include tells whether the policy includes the value at a path.
func (p *Paths) Include(names []string) bool {
	r := p.root
	value, below := r.at(unsaid)
	for _, name := range names {
		r = r.kid(name)
		value, below = r.at(below)
	}
	return value == in
}

// System tells whether a property of a document is the service's own and not known here.
func System(name string) bool { return system[name] }
