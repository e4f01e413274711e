package minicosmos

import (
	"fmt"
	"strconv"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// systemProperties are the service's own; what a client sends under these names is ignored.
var systemProperties = [...]string{"_rid", "_self", "_etag", "_attachments", "_ts"}

// withoutSystem strips the service's own properties from what a client sent.
func withoutSystem(doc sql.Value) sql.Value {
	for _, name := range systemProperties {
		doc = doc.With(name, sql.Value{})
	}
	return doc
}

// system returns the version's system properties in the order of their names above.
func (r *record) system(h *home) [5]sql.Value {
	rid := h.documentRID(r.number)
	return [5]sql.Value{sql.StringOf(rid), sql.StringOf(h.self + "docs/" + rid + "/"),
		sql.StringOf(r.etag()), sql.StringOf("attachments/"), sql.NumberOf(float64(r.modified))}
}

// appendJSON appends the document as a client sees it.
func (r *record) appendJSON(dst []byte, h *home) []byte {
	dst = append(dst, r.body[:len(r.body)-1]...)
	rid := h.documentRID(r.number)
	if len(r.body) > 2 {
		dst = append(dst, ',')
	}
	dst = append(append(dst, `"_rid":"`...), rid...)
	dst = append(append(append(append(dst, `","_self":"`...), h.self...), `docs/`...), rid...)
	dst = sql.AppendString(append(dst, `/","_etag":`...), r.etag())
	dst = strconv.AppendInt(append(dst, `,"_attachments":"attachments/","_ts":`...), r.modified, 10)
	return append(dst, '}')
}

// parse parses what the user stored.
func (r *record) parse() (sql.Value, error) {
	doc, err := sql.ParseJSON(r.body)
	if err != nil {
		return doc, fmt.Errorf("%w: document %q: %w", errCorrupt, r.id, err)
	}
	return doc, nil
}

// value parses the document as a query sees it.
func (r *record) value(h *home) (sql.Value, error) {
	doc, err := r.parse()
	if err != nil {
		return doc, err
	}
	names := append(make([]string, 0, len(doc.Names())+5), doc.Names()...)
	items := append(make([]sql.Value, 0, len(doc.Names())+5), doc.Items()...)
	system := r.system(h)
	return sql.ObjectOf(append(names, systemProperties[:]...), append(items, system[:]...)), nil
}
