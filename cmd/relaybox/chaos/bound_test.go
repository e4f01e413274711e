package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/internal/history"
)

// The bounds of docs/reliability.md, with any other instance alive.
const (
	// toBroker is from a write whose writer has died to the message on the topic.
	toBroker = 3 * time.Second
	// toEffect is from a write to its effect while an instance is frozen, or has died: what the
	// broker has given to that one comes back after a lock.
	toEffect = lockTime + 5*time.Second
)

// The load stays well below what one instance consumes: a backlog has no bound. Half of the
// keys are written at both instances. The others are an instance's own: nobody meets its
// orphans there who does not look for them.
const (
	boundWriters = 4  // at each instance
	boundKeys    = 20 // of each sort
	boundPause   = 80 * time.Millisecond
)

// TestBounds measures, and so its parts are not parallel.
func TestBounds(t *testing.T) {
	if !parts.Supported {
		t.Skip(ErrUnsupported)
	}
	w := open(t)
	t.Run("of a freeze", func(t *testing.T) { boundOfAFreeze(t, pairUp(t, w)) })
	t.Run("of a death", func(t *testing.T) { boundOfADeath(t, pairUp(t, w)) })
}

// pair is two instances under load, and who watches them.
type pair struct {
	*run
	t       *testing.T
	ctx     context.Context
	writing []context.CancelFunc // by instance
	writers sync.WaitGroup
	watcher sync.WaitGroup

	mu      sync.Mutex // guards what follows
	writes  []acknowledged
	applied map[string][]time.Time // when the read model was first seen at each number, by key
}

// acknowledged is a write of which the client knows that it was stored. Each makes one event,
// so versions and numbers are the same here.
type acknowledged struct {
	by, key string
	version int64
	at      time.Time
}

// pairUp starts two instances and lets clients write to both.
func pairUp(t *testing.T, w workshop) *pair {
	t.Helper()
	o := Options{Relaybox: w.relaybox, App: w.app, Dir: t.TempDir(), Instances: 2, Seed: 1, Drain: time.Minute, Out: t.Output()}
	o.settings = map[string]string{"DISPATCH_SCHEDULE": "0 0 0 * * *"} // no sweep helps
	ctx, cancel := context.WithCancel(t.Context())
	p := &pair{run: &run{opts: o, began: time.Now(), record: &history.Recorder{}, script: io.Discard}, t: t, ctx: ctx, applied: map[string][]time.Time{}}
	var err error
	p.cluster, err = start(ctx, o, p.note)
	t.Cleanup(func() {
		cancel()
		p.writers.Wait()
		p.watcher.Wait()
		require.NoError(t, p.cluster.close(false))
	})
	require.NoError(t, err)
	require.NoError(t, p.prepare())
	t.Cleanup(p.witness.close)
	p.watcher.Go(func() { p.watch(ctx) })
	for _, i := range p.cluster.instances {
		writing, stop := context.WithCancel(ctx)
		p.writing = append(p.writing, stop)
		for n := range boundWriters {
			p.writers.Go(func() { p.write(writing, n, i) })
		}
	}
	return p
}

// write writes at one instance until ctx ends.
func (p *pair) write(ctx context.Context, n int, to *instance) {
	name := fmt.Sprint(to.name, "-", n)
	for i := 2 * n * boundKeys / boundWriters; ctx.Err() == nil; i++ {
		key := fmt.Sprint([]string{"k-", to.name + "-"}[i%2], i/2%boundKeys)
		sent := p.load.once(context.WithoutCancel(ctx), name, key, request{method: http.MethodPut, body: fmt.Sprintf(`{"displayName":"%s %d"}`, name, i)}, to)
		if sent.Outcome == history.Answered && sent.Answer.Status < 300 {
			version, _ := history.Version(sent.Answer.ETag)
			p.mu.Lock()
			p.writes = append(p.writes, acknowledged{to.name, "profile:" + key, version, sent.End})
			p.mu.Unlock()
		}
		sleep(ctx, boundPause)
	}
}

// watch notes when effects are seen, until ctx ends.
func (p *pair) watch(ctx context.Context) {
	for ; ctx.Err() == nil; sleep(ctx, lookEvery) {
		views, err := p.witness.documents(ctx, "COSMOS_INBOX_CONTAINER")
		seen, e := time.Now(), evidence{}
		if err != nil || e.readViews(views) != nil {
			continue // the ledger tells what was not seen
		}
		p.mu.Lock()
		for key, m := range e.models {
			for int64(len(p.applied[key])) < m.LastSeq {
				p.applied[key] = append(p.applied[key], seen)
			}
		}
		p.mu.Unlock()
	}
}

// effects are the times from acknowledgement to effect of an instance's writes, sorted, and
// how many have had none.
func (p *pair) effects(by *instance) (took []time.Duration, missing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.writes {
		if w.by != by.name {
			continue
		}
		if applied := p.applied[w.key]; int64(len(applied)) >= w.version {
			took = append(took, applied[w.version-1].Sub(w.at))
		} else {
			missing++
		}
	}
	slices.Sort(took)
	return took, missing
}

// checkEffects waits for the effects of all of an instance's writes, as long as the bound is,
// and holds them against it.
func (p *pair) checkEffects(by *instance) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, toEffect+time.Second)
	defer cancel()
	took, missing := p.effects(by)
	for ; missing > 0 && ctx.Err() == nil; took, missing = p.effects(by) {
		sleep(ctx, lookEvery)
	}
	require.NotEmpty(p.t, took)
	p.t.Logf("%s: %d writes; to their effects p50 %v, p99 %v, longest %v", by.name, len(took),
		took[len(took)/2].Round(time.Millisecond), took[len(took)*99/100].Round(time.Millisecond), took[len(took)-1].Round(time.Millisecond))
	require.Zero(p.t, missing, "writes at %s have had no effect yet", by.name)
	require.LessOrEqual(p.t, took[len(took)-1], toEffect)
}

// settle ends the load and reconciles everything, as a run does.
func (p *pair) settle() {
	p.t.Helper()
	for _, stop := range p.writing {
		stop()
	}
	p.writers.Wait()
	require.NoError(p.t, p.drain(p.ctx))
	require.Empty(p.t, reconcile(p.evidence, p.record, checkTime))
}

// boundOfAFreeze: host and handler of an instance stop in the middle of the load, with
// all that they have locked and all that they were about to do, and stay so until everything
// that was acknowledged, by the other and before by itself, has had its effect.
func boundOfAFreeze(t *testing.T, p *pair) {
	frozen, alive := p.cluster.instances[0], p.cluster.instances[1]
	sleep(p.ctx, 4*time.Second)
	require.NoError(t, frozen.host.Freeze())
	p.writing[0]()
	sleep(p.ctx, lockTime+2*time.Second)
	p.writing[1]()
	p.checkEffects(alive)
	p.checkEffects(frozen)
	require.NoError(t, frozen.host.Thaw())
	sleep(p.ctx, calm) // it carries out what it was asked for before, and nobody waits for that any more
	p.settle()
}

// boundOfADeath: an instance acknowledges for a moment what it cannot publish, and is
// killed. The other one publishes it.
func boundOfADeath(t *testing.T, p *pair) {
	dies, alive := p.cluster.instances[0], p.cluster.instances[1]
	sleep(p.ctx, 4*time.Second)
	dies.bus.cut()
	sleep(p.ctx, 300*time.Millisecond)
	require.NoError(t, dies.host.Kill(time.Hour))
	killed := time.Now()
	p.writing[0]()
	sleep(p.ctx, toBroker)
	p.writing[1]()
	p.checkEffects(alive)
	p.checkEffects(dies)
	p.settle()

	orphans, longest := 0, time.Duration(0)
	for _, w := range p.writes {
		published := p.evidence.topic[w.key]
		first := slices.IndexFunc(published, func(e event) bool { return e.seq == w.version })
		require.GreaterOrEqual(t, first, 0, "%v", w) // the ledger would have said so
		if w.by == dies.name && published[first].at.After(killed) {
			orphans++
		}
		longest = max(longest, published[first].at.Sub(w.at))
	}
	t.Logf("%d writes, %d of them orphans; to the broker %v at the longest", len(p.writes), orphans, longest.Round(time.Millisecond))
	require.NotZero(t, orphans, "nothing was left behind")
	require.LessOrEqual(t, longest, toBroker)
}
