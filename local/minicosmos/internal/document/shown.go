package document

import (
	"fmt"
	"strconv"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// SystemProperties are the service's own; what a client sends under these names is ignored.
var SystemProperties = [...]string{"_rid", "_self", "_etag", "_attachments", "_ts"}

// WithoutSystem strips the service's own properties from what a client sent.
func WithoutSystem(doc sql.Value) sql.Value {
	for _, name := range SystemProperties {
		doc = doc.With(name, sql.Value{})
	}
	return doc
}

// AppendJSON appends the document as a client sees it.
func (r *Record) AppendJSON(dst []byte, h *Home) []byte {
	dst = append(dst, r.Body[:len(r.Body)-1]...)
	rid := h.DocumentRID(r.Number)
	if len(r.Body) > 2 {
		dst = append(dst, ',')
	}
	dst = append(append(dst, `"_rid":"`...), rid...)
	dst = append(append(append(append(dst, `","_self":"`...), h.Self...), `docs/`...), rid...)
	dst = sql.AppendString(append(dst, `/","_etag":`...), r.ETag())
	dst = strconv.AppendInt(append(dst, `,"_attachments":"attachments/","_ts":`...), r.Modified, 10)
	return append(dst, '}')
}

// parse parses what the user stored.
func (r *Record) parse() (sql.Value, error) { return r.read(r.Body) }

func (r *Record) read(text []byte) (sql.Value, error) {
	doc, err := sql.ParseJSON(text)
	if err != nil {
		return doc, fmt.Errorf("%w: document %q: %w", ErrCorrupt, r.ID, err)
	}
	return doc, nil
}

// Value parses the document as a query sees it.
func (r *Record) Value(h *Home) (sql.Value, error) {
	return r.read(r.AppendJSON(make([]byte, 0, len(r.Body)+256), h))
}
