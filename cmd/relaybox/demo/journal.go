package demo

import (
	"sync"
	"time"
)

// outcome is what a client knows about one request after it.
type outcome int

const (
	// unknown: no answer, or a 5xx: it may have been applied.
	unknown outcome = iota
	// acknowledged: 2xx with the version of the entity.
	acknowledged
	// declined: 409, the entity's state does not allow it. Nothing must have changed, and
	// the client is content with that.
	declined
	// refused: 4xx, or never sent: it must not have been applied.
	refused
)

// attempt is one HTTP request of a client, as the client saw it.
type attempt struct {
	intent         *intent
	idempotencyKey string
	// ifMatch is the version the request was conditional on, -1 for none, 0 for
	// If-None-Match: *.
	ifMatch  int64
	sent     time.Time
	answered time.Time
	outcome  outcome
	status   int
	// version is what the answer's ETag said, 0 when there was none.
	version int64
	// answer is what a twin must get too: the body, as canonical JSON, or why the request
	// was declined.
	answer string
}

// journal is the clients' memory: the ground truth that the check starts from.
type journal struct {
	mu       sync.Mutex // guards what follows
	attempts map[string][]attempt
	// unfinished are the writes that no client got done.
	unfinished []*violation
	reads
}

// reads are what clients were shown, and how long that took.
type reads struct {
	shown  map[string]map[reading]bool // by key
	recent map[string][]recent         // by key
	took   []time.Duration
	failed int
	// cached are those that a cache could answer, hits those that it did.
	cached, hits int
}

// recent is what a client was shown that had said how old the answer may be.
type recent struct {
	since   time.Time // no older than that
	version int64
}

// reading is what a client was shown: the entity, without what is the server's to set.
type reading struct {
	version int64 // 0: there is none
	body    string
}

func newJournal() *journal {
	return &journal{attempts: map[string][]attempt{}, reads: reads{shown: map[string]map[reading]bool{}, recent: map[string][]recent{}}}
}

// read notes a read that may have been as old as age; ok says whether it was answered.
func (j *journal) read(key string, f found, age time.Duration, began time.Time, took time.Duration, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !ok {
		j.failed++
		return
	}
	j.took = append(j.took, took)
	if age > 0 {
		j.cached++
	}
	if f.hit {
		j.hits++
	}
	if j.shown[key] == nil {
		j.shown[key] = map[reading]bool{}
	}
	if f.version == 0 {
		return
	}
	j.shown[key][reading{f.version, string(f.body)}] = true
	if age > 0 {
		j.recent[key] = append(j.recent[key], recent{began.Add(-age), f.version})
	}
}

func (j *journal) add(key string, a attempt) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.attempts[key] = append(j.attempts[key], a)
}

// giveUp notes a write that was refused for good, or got no answer while the
// client's patience lasted, which is longer than any disturbance of the demo.
func (j *journal) giveUp(w write, end outcome) {
	told := "nobody knows what became of it"
	if end == refused {
		told = "it was refused"
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unfinished = append(j.unfinished, broken(everyWrite, "write %d of %s: %s", w.number, w.key(), told))
}
