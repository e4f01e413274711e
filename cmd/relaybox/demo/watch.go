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
	outbox    string // the writers'; "" where nobody asks who has sent what

	mu        sync.Mutex // guards what follows
	sightings map[string][]sighting
	reached   map[string]int64 // by key, the highest number
	effects   int              // events that had theirs
	work      map[string]work  // by instance
}

// work is what an instance was seen to do.
type work struct {
	sent     int // events that it took out of the outbox, having sent them
	consumed int // events whose effect it stored
}

type sighting struct {
	seq int64
	at  time.Time
}

func newWatch(container string) *watch {
	return &watch{container: container, sightings: map[string][]sighting{}, reached: map[string]int64{}, work: map[string]work{}}
}

// front is the door: a handler before the store's.
func (w *watch) front(store http.Handler) http.Handler { return w.door("", store) }

// door is a front of an instance's own.
func (w *watch) door(instance string, store http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, doc, views := strings.Cut(r.URL.Path, "/colls/"+w.container+"/docs")
		_, event, events := strings.Cut(r.URL.Path, "/colls/"+w.outbox+"/docs")
		switch {
		case views && doc == "" && r.Method == http.MethodPost && r.Header.Get("X-Ms-Documentdb-Isquery") == "", views && r.Method == http.MethodPut:
			w.write(instance, store, rw, r)
		case events && (event != "" && r.Method == http.MethodDelete || r.Header.Get("X-Ms-Cosmos-Is-Batch-Request") != ""):
			w.settle(instance, store, rw, r)
		default:
			store.ServeHTTP(rw, r)
		}
	})
}

// settle takes one event out of the outbox, or is a batch that may take some out.
func (w *watch) settle(instance string, store http.Handler, rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	gone := 0
	if status := answer(store, rw, r); status == http.StatusNoContent {
		gone = 1
	} else if status == http.StatusOK {
		gone = bytes.Count(body, []byte(`"operationType":"Delete"`))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	did := w.work[instance]
	did.sent += gone
	w.work[instance] = did
}

// document is what we want to know of one that is written.
type document struct {
	header
	LastSeq int64 `json:"lastSeq"`
}

// write is of one document or a batch.
func (w *watch) write(instance string, store http.Handler, rw http.ResponseWriter, r *http.Request) {
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
			fresh, did := int(max(0, doc.LastSeq-w.reached[doc.Key])), w.work[instance]
			w.effects += fresh
			did.consumed += fresh
			w.work[instance] = did
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

// did is what an instance was seen to do.
func (w *watch) did(instance string) work {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.work[instance]
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
