package demo

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// watch stands at the door of the store and notes when each new state of a read model
// became visible to readers: the moment at which the store has answered the write. It is on the same clock as the clients.
type watch struct {
	container string // the consumer's

	mu        sync.Mutex // guards what follows
	sightings map[string][]sighting
	reached   map[string]int64 // by key, the highest number
	effects   int              // events that had theirs
}

type sighting struct {
	seq int64
	at  time.Time
}

func newWatch(container string) *watch {
	return &watch{container: container, sightings: map[string][]sighting{}, reached: map[string]int64{}}
}

// front is the door: a handler before the store's.
func (w *watch) front(store http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch _, doc, ours := strings.Cut(r.URL.Path, "/colls/"+w.container+"/docs"); {
		case ours && doc == "" && r.Method == http.MethodPost && r.Header.Get("X-Ms-Documentdb-Isquery") == "", ours && r.Method == http.MethodPut:
			w.write(store, rw, r)
		default:
			store.ServeHTTP(rw, r)
		}
	})
}

// document is what we want to know of one that is written.
type document struct {
	header
	LastSeq int64 `json:"lastSeq"`
}

// write is of one document or a batch.
func (w *watch) write(store http.Handler, rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if status := answer(store, rw, r); status != http.StatusOK && status != http.StatusCreated {
		return
	}
	visible := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, doc := range documents(body) {
		if doc.Kind == "model" {
			w.effects += int(max(0, doc.LastSeq-w.reached[doc.Key]))
			w.reached[doc.Key] = max(w.reached[doc.Key], doc.LastSeq)
			w.sightings[doc.Key] = append(w.sightings[doc.Key], sighting{doc.LastSeq, visible})
		}
	}
}

// documents are those in a body that the store has taken: what cannot be read is not for us to
// judge.
func documents(body []byte) []document {
	var one document
	if json.Unmarshal(body, &one) == nil {
		return []document{one}
	}
	var operations []struct {
		ResourceBody document `json:"resourceBody"`
	}
	_ = json.Unmarshal(body, &operations)
	all := make([]document, len(operations))
	for i, op := range operations {
		all[i] = op.ResourceBody
	}
	return all
}

// count is the number of effects so far.
func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.effects
}

// seenAt is when the model of key first stood at seq or above.
func (w *watch) seenAt(key string, seq int64) (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var first time.Time
	for _, s := range w.sightings[key] {
		if s.seq >= seq && (first.IsZero() || s.at.Before(first)) {
			first = s.at
		}
	}
	return first, !first.IsZero()
}

// answer lets the store answer and returns the status.
func answer(store http.Handler, rw http.ResponseWriter, r *http.Request) int {
	seen := &statusWriter{ResponseWriter: rw, status: http.StatusOK}
	store.ServeHTTP(seen, r)
	return seen.status
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (s *statusWriter) WriteHeader(status int) {
	s.status = status
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what the server gave us.
func (s *statusWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }
