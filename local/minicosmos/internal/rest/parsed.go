package rest

import (
	"strings"
	"sync"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// What is kept of queries: a client has a few texts, and parameters for the rest.
const (
	maxParsed     = 128
	maxParsedText = 1 << 10
)

// queries are those that were asked last, by their text. A parsed query never changes.
type queries struct {
	mu   sync.Mutex
	list map[string]*sql.Query // owned by mu
}

// query parses a text that is not known yet.
func (k *queries) query(text string) (*sql.Query, error) {
	if len(text) > maxParsedText {
		return sql.Parse(text)
	}
	k.mu.Lock()
	q := k.list[text]
	k.mu.Unlock()
	if q != nil {
		return q, nil
	}
	text = strings.Clone(text) // it is part of a request's
	q, err := sql.Parse(text)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.list == nil || len(k.list) == maxParsed {
		k.list = map[string]*sql.Query{}
	}
	k.list[text] = q
	return q, nil
}
