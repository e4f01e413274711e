package explore

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// request is one that stands for itself: an order of such requests has one meaning.
func request(decide func(cur outbox.Entity) (outbox.Decision, error)) outbox.Request {
	return outbox.Request{
		Key:    key,
		Decide: decide,
		Render: func(e outbox.Entity, status int) outbox.Answer {
			return outbox.Answer{Status: status, ETag: strconv.FormatInt(e.Version, 10)}
		},
	}
}

func exists(e outbox.Entity) bool { return e.Version > 0 && !e.Deleted }

// put stores data, creates what is not there, and changes nothing if it is there already.
func put(data string) outbox.Request {
	text, _ := json.Marshal(data) // of a string: never fails
	return request(func(cur outbox.Entity) (outbox.Decision, error) {
		d := outbox.Decision{Status: http.StatusOK, Data: text}
		switch {
		case !exists(cur):
			d.Status = http.StatusCreated
		case string(cur.Data) == string(text):
			return d, nil
		}
		d.Events = []outbox.Draft{{Type: "put", Data: data}}
		return d, nil
	})
}

// remove answers 404 for what is not there.
func remove() outbox.Request {
	return request(func(cur outbox.Entity) (outbox.Decision, error) {
		if !exists(cur) {
			return refusal(http.StatusNotFound), nil
		}
		return outbox.Decision{Status: http.StatusNoContent, Deleted: true, Events: []outbox.Draft{{Type: "gone", Data: "gone"}}}, nil
	})
}

func refusal(status int) outbox.Decision {
	return outbox.Decision{Status: status, Answer: &outbox.Answer{Status: status}}
}

// onlyIf refuses req with 412 unless the entity is what it must be.
func onlyIf(met func(outbox.Entity) bool, req outbox.Request) outbox.Request {
	decide := req.Decide
	req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
		if !met(cur) {
			return refusal(http.StatusPreconditionFailed), nil
		}
		return decide(cur)
	}
	return req
}

func absent(e outbox.Entity) bool { return !exists(e) }

func version(v int64) func(outbox.Entity) bool {
	return func(e outbox.Entity) bool { return exists(e) && e.Version == v }
}

// keyed sends req with an Idempotency-Key. Equal hashes stand for equal requests.
func keyed(req outbox.Request, id, hash string) outbox.Request {
	req.IdempotencyKey, req.RequestHash = id, hash
	return req
}

// host adds a process with a writer.
func host(w *World, name string, opts outbox.WriterOptions, requests ...outbox.Request) {
	w.Proc(name, name).writes(opts, requests...)
}

func (p *Proc) writes(opts outbox.WriterOptions, requests ...outbox.Request) {
	opts.Patience = budget
	writer := outbox.NewWriter(p.Writes(), opts)
	for i, req := range requests {
		p.Write(writer, fmt.Sprint("call ", i+1), req)
	}
}

// writers is a case of requests at two processes.
func writers(name string, faults map[Fault]int, total int, seed bool, at ...[]outbox.Request) Case {
	return Case{
		Name: name, Faults: faults, Total: total, End: honest,
		Setup: func(w *World) {
			if seed {
				w.Store.SeedEntity(`"old"`)
			}
			for i, requests := range at {
				host(w, fmt.Sprint("P", i), outbox.WriterOptions{}, requests...)
			}
		},
	}
}

func TestWriters(t *testing.T) {
	t.Parallel()
	type calls = []outbox.Request
	all := once(Fail, Lost, Stale, Crash, Cut)
	create := keyed(onlyIf(absent, put("new")), "create", "h")
	same := keyed(onlyIf(version(1), put("old")), "same", "h")
	deletion := keyed(remove(), "delete", "h")
	for _, c := range []Case{
		writers("puts at 2 processes", all, 2, false, calls{put("a")}, calls{put("b")}),
		writers("puts at one process, another at a second", all, 1, true, calls{put("a"), put("b")}, calls{put("c")}),
		writers("conditional puts at 2 processes", all, 2, true, calls{onlyIf(version(1), put("a"))}, calls{onlyIf(version(1), put("b"))}),
		writers("nothing new at one, something at the other", all, 2, true, calls{put("old")}, calls{put("b")}),
		writers("twins of a creation", all, 2, false, calls{create}, calls{create}),
		writers("twins of a put that changes nothing, and another put", all, 1, true, calls{same}, calls{same, put("b")}),
		writers("twins of a delete, and a put", all, 1, true, calls{deletion, put("b")}, calls{deletion}),
		writers("a delete and a creation at one process, the creation's twin at another", once(Lost, Stale), 2, true, calls{put("b"), deletion, create}, calls{create}),
		writers("a put under a key, and another put", once(Fail, Lost, Stale), 3, true, calls{keyed(put("a"), "id", "h")}, calls{put("b")}),
		writers("twins at one process behind a put", all, 1, true, calls{put("b"), create, create}),
		writers("a batch of two, one of them under a key, and another put", once(Lost, Stale), 2, true,
			calls{put("a"), keyed(onlyIf(version(9), put("c")), "id", "h")}, calls{put("x"), put("b")}),
		writers("one key, two requests", all, 1, true, calls{keyed(put("a"), "id", "h")}, calls{keyed(put("b"), "id", "g")}),
	} {
		explore(t, 40_000, c)
	}
}

// TestNoSessionIsNeeded: a writer that settles a doubt reads the entity and then a receipt.
// The second read may show an older state than the first one, and there is a barrier before
// it.
func TestNoSessionIsNeeded(t *testing.T) {
	t.Parallel()
	type calls = []outbox.Request
	under := keyed(put("c"), "id", "h")
	for _, c := range []Case{
		writers("a put under a key, another put, and replicas that jump", once(Fail, Lost, Stale), 3, true, calls{under}, calls{put("b")}),
		writers("a batch behind a put, and replicas that jump", once(Lost, Stale), 2, true, calls{put("a"), put("b"), under}),
	} {
		setup := c.Setup
		c.Setup = func(w *World) {
			w.Jumps = true
			setup(w)
		}
		explore(t, 20_000, c)
	}
}

// TestWhole: two hosts that write and send at once, a dispatcher and a consumer.
func TestWhole(t *testing.T) {
	t.Parallel()
	decode := func(e outbox.Event) (inbox.Event, error) { return inbox.Decode(e.Envelope) }
	explore(t, 20_000, Case{
		Name: "2 writers with fast paths, a dispatcher, a consumer", Faults: once(Fail, Lost, Stale, Crash, Cut, Unlock), Total: 1,
		Setup: func(w *World) {
			w.Bus.Copies = true
			for i, data := range []string{"a", "b"} {
				p := w.Proc(fmt.Sprint("P", i), fmt.Sprint("P", i))
				f := fast(p, outbox.DispatcherOptions{})
				p.Run("fast path", f.Run)
				p.writes(outbox.WriterOptions{Source: "/app", Committed: f.Notify}, put(data))
			}
			dispatcher(w, "D1", outbox.DispatcherOptions{})
			c := w.Proc("C", "C1")
			c.Consume(inbox.New(c.Models(), effect, inbox.Options{Hold: budget}), 1, decode)
		},
		End: func(w *World) error {
			n := w.Store.now().entity.LastSeq
			return cmp.Or(honest(w), swept(w, n), consumed(w, int(n), decode))
		},
	})
}
