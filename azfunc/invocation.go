package azfunc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// MaxInvocation bounds the body of a default-protocol invocation, in bytes.
const MaxInvocation = 32 << 20

// Names of the headers that the host adds to every request.
const (
	HeaderInvocationID = "X-Azure-Functions-InvocationId"
	HeaderHostVersion  = "X-Azure-Functions-HostVersion"
)

// An Invocation is one call of a function over the default protocol.
type Invocation struct {
	// Function is the name of the function, taken from the path.
	Function string
	// ID is the host's invocation id; a redelivery has the same one only for
	// forwarded HTTP requests.
	ID string
	// Data holds the values of the input bindings, by binding name, as sent.
	Data map[string]json.RawMessage
	// Metadata holds the trigger's metadata as sent. Values may have been
	// replaced by properties of a text body; see Message.
	Metadata map[string]json.RawMessage
	// Header is the header of the request.
	Header http.Header
}

// Decode reads an invocation from a request of the default protocol. It checks
// the document's outer form only: the bindings are decoded on demand.
func Decode(r *http.Request) (*Invocation, error) {
	inv := &Invocation{Function: strings.Trim(r.URL.Path, "/"), ID: InvocationID(r.Header), Header: r.Header}
	body, err := readBody(r)
	if err != nil {
		return nil, fmt.Errorf("read invocation of %s: %w", inv.Function, err)
	}
	if len(body) > MaxInvocation {
		return nil, fmt.Errorf("%s: %w: more than %d bytes", inv.Function, ErrTooLarge, MaxInvocation)
	}
	if err := inv.decode(body); err != nil {
		return nil, fmt.Errorf("%s: %w", inv.Function, err)
	}
	return inv, nil
}

// readBody reads at most one byte more than is allowed. The host says how long the body is.
func readBody(r *http.Request) ([]byte, error) {
	limited := io.LimitReader(r.Body, MaxInvocation+1)
	if r.ContentLength <= 0 || r.ContentLength > 1<<20 {
		return io.ReadAll(limited)
	}
	var body bytes.Buffer
	body.Grow(int(r.ContentLength) + bytes.MinRead) // so much must be free to see the end
	_, err := body.ReadFrom(limited)
	return body.Bytes(), err
}

func (inv *Invocation) decode(body []byte) error {
	var doc struct{ Data, Metadata map[string]json.RawMessage }
	if err := json.Unmarshal(body, &doc); err != nil {
		return errors.Join(ErrMalformed, err)
	}
	if doc.Data == nil {
		return fmt.Errorf("%w: Data is missing", ErrMalformed)
	}
	inv.Data, inv.Metadata = doc.Data, doc.Metadata
	return nil
}

// InvocationID is the host's id of the invocation that a request belongs to:
// the last element of the header. Whatever stands before it came from the
// client. It is empty when no host was involved.
func InvocationID(h http.Header) string {
	values := h.Values(HeaderInvocationID)
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// binding returns the raw value of an input binding. Names in function.json
// are unique whatever their case.
func (inv *Invocation) binding(name string) (json.RawMessage, error) {
	raw, ok := lookup(inv.Data, name)
	if !ok {
		return nil, fmt.Errorf("%w: %q", ErrNoBinding, name)
	}
	return raw, nil
}

// lookup finds a key in any case, the exact one first.
func lookup(m map[string]json.RawMessage, key string) (json.RawMessage, bool) {
	if v, ok := m[key]; ok {
		return v, true
	}
	for k, v := range m {
		if strings.EqualFold(k, key) {
			return v, true
		}
	}
	return nil, false
}
