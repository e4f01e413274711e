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
// became visible to readers: the moment at which the store has answered the batch that
// wrote it. It is on the same clock as the clients.
type watch struct {
	container string // the consumer's

	mu         sync.Mutex // guards what follows
	sightings  map[string][]sighting
	effects    int
	duplicates int // deliveries whose event had been applied before
}

type sighting struct {
	seq int64
	at  time.Time
}

func newWatch(container string) *watch {
	return &watch{container: container, sightings: map[string][]sighting{}}
}

// front is the door: a handler before the store's.
func (w *watch) front(store http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch _, doc, ours := strings.Cut(r.URL.Path, "/colls/"+w.container+"/docs"); {
		case ours && doc == "" && r.Method == http.MethodPost && r.Header.Get("X-Ms-Cosmos-Is-Batch-Request") != "":
			w.batch(store, rw, r)
		case ours && strings.HasPrefix(doc, "/in-") && r.Method == http.MethodGet:
			if answer(store, rw, r) == http.StatusOK {
				w.mu.Lock()
				w.duplicates++
				w.mu.Unlock()
			}
		default:
			store.ServeHTTP(rw, r)
		}
	})
}

func (w *watch) batch(store http.Handler, rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if answer(store, rw, r) != http.StatusOK {
		return
	}
	visible := time.Now()
	var operations []struct {
		ResourceBody struct {
			header
			LastSeq int64 `json:"lastSeq"`
		} `json:"resourceBody"`
	}
	if json.Unmarshal(body, &operations) != nil {
		return // the store has taken it, so it is not for us to judge
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, op := range operations {
		if model := op.ResourceBody; model.Kind == "model" {
			w.effects++
			w.sightings[model.Key] = append(w.sightings[model.Key], sighting{model.LastSeq, visible})
		}
	}
}

// counts are the effects and dropped duplicates so far.
func (w *watch) counts() (effects, duplicates int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.effects, w.duplicates
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
