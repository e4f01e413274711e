package document

import (
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxComposites is the service's limit of composite indexes.
const maxComposites = 100

// maxIndexedPaths bounds the entries that a document may cause.
const maxIndexedPaths = 64

// Policy is the part of a container's properties that decides what is stored beside a
// document: the scalar paths that its index policy names ("/pending/?"), what it includes
// besides ("/*"), and its time to live. A policy is immutable.
//
// A named path has its entries twice, over the container and inside each logical partition; a container with no other
// included paths has no other entries, so its writes stay cheap. What is included besides is in Paths and composites.
type Policy struct {
	paths      []indexedPath
	wild       *index.Paths // all that is included; nil: no more than the named paths
	composites [][]sql.OrderPath
	print      uint64       // of the index policy
	unique     [][][]string // the paths of each unique key
	orders     orders
	defaultTTL *int32 // nil: items never expire, -1: only those with a ttl of their own
}

// indexedPath is a path of property names with the number it has in the keys. The
// number is its place in the policy; when the policy changes, the index is rebuilt.
type indexedPath struct {
	number uint16
	path   []string
}

// NewPolicy reads the properties that a client sent. Partition key paths are left
// out: the logical partition itself is their index.
func NewPolicy(properties sql.Value, pk *partition.Definition) (*Policy, error) {
	p := &Policy{}
	if err := p.readTTL(properties.Get("defaultTtl")); err != nil {
		return nil, err
	}
	var err error
	if p.unique, err = uniqueKeys(properties); err != nil {
		return nil, err
	}
	p.orders = readOrders(properties.Get("indexingPolicy"))
	included := properties.Get("indexingPolicy").Get("includedPaths")
	for _, item := range included.Items() {
		path, ok := item.Get("path").Str()
		if !ok || !strings.HasPrefix(path, "/") {
			return nil, fmt.Errorf("the indexing path %s must be a string that starts with /", item.Get("path"))
		}
		segments, scalar := scalarPath(path)
		if !scalar && !p.orders.none {
			p.wild = p.orders.paths
		}
		if !scalar || p.Find(segments) >= 0 || isKeyPath(pk, segments) {
			continue
		}
		if len(p.paths) == maxIndexedPaths {
			return nil, fmt.Errorf("more than %d indexed paths", maxIndexedPaths)
		}
		p.paths = append(p.paths, indexedPath{number: uint16(len(p.paths)), path: segments})
	}
	p.print = printOf(properties.Get("indexingPolicy"))
	if p.wild != nil {
		p.composites = slices.DeleteFunc(slices.Clone(p.orders.composites), func(keys []sql.OrderPath) bool { return !p.holds(keys) })
		p.composites = p.composites[:min(maxComposites, len(p.composites))]
	}
	return p, nil
}

func (p *Policy) readTTL(ttl sql.Value) error {
	if ttl.Kind() <= sql.Null {
		return nil
	}
	seconds, err := parseTTL(ttl)
	if err != nil {
		return fmt.Errorf("defaultTtl %w", err)
	}
	p.defaultTTL = &seconds
	return nil
}

// scalarPath splits a policy path that ends in /? and has no wildcard inside.
func scalarPath(path string) (segments []string, ok bool) {
	path, ok = strings.CutSuffix(path[1:], "/?")
	if !ok || path == "" {
		return nil, false
	}
	segments, err := partition.Path("/" + path)
	return segments, err == nil
}

func isKeyPath(pk *partition.Definition, path []string) bool {
	return slices.ContainsFunc(pk.Segments(), func(s []string) bool { return slices.Equal(s, path) })
}

// Find returns the number of an indexed path, -1 if it is not indexed.
func (p *Policy) Find(path []string) int {
	return slices.IndexFunc(p.paths, func(i indexedPath) bool { return slices.Equal(i.path, path) })
}

// Entries returns the index entries of a document: one per indexed path with a scalar.
func (p *Policy) Entries(doc sql.Value) [][]byte {
	var entries [][]byte
	for _, i := range p.paths {
		if v := doc.Path(i.path); v.IsDefined() && v.Kind() <= sql.String {
			entries = append(entries, IndexEntry(i.number, v))
		}
	}
	return entries
}

// Expiry is when a document vanishes, 0 for never.
func (p *Policy) Expiry(modified int64, ttl int32) int64 {
	switch {
	case p.defaultTTL == nil || ttl < 0:
		return 0
	case ttl > 0:
		return modified + int64(ttl)
	case *p.defaultTTL > 0:
		return modified + int64(*p.defaultTTL)
	}
	return 0
}
