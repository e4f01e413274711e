package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

	"github.com/relaybox/relaybox/internal/history"
	"github.com/relaybox/relaybox/internal/pace"
)

// Probes measure the time from an acknowledgement to the effect, all the time: one starts
// each probeEvery, whatever became of the one before it. It is looked for each lookEvery.
const (
	probeEvery = 250 * time.Millisecond
	lookEvery  = 50 * time.Millisecond
	probeKeys  = 48
)

// probes are writes to entities of their own, each of which makes one event.
type probes struct {
	load    *load
	views   *azcosmos.ContainerClient
	random  *rand.Rand
	running sync.WaitGroup

	mu   sync.Mutex // guards done
	done []probe
	// writing are taken by the one writer of each key, so that its versions count its events.
	writing [probeKeys]sync.Mutex
}

// probe is one write: effect is zero if it was never seen.
type probe struct {
	key                  string
	acknowledged, effect time.Time
}

func newProbes(c *cluster, l *load) (*probes, error) {
	client, err := azcosmos.NewClientFromConnectionString(c.cosmos, nil)
	if err != nil {
		return nil, err
	}
	views, err := client.NewContainer(c.settings["COSMOS_DATABASE"], c.settings["COSMOS_INBOX_CONTAINER"])
	return &probes{load: l, views: views, random: rand.New(rand.NewPCG(l.seed, 2))}, err
}

// run starts probes until writing ends. Those that are under way look for their effect
// until looking ends.
func (p *probes) run(writing, looking context.Context) {
	for n := 0; writing.Err() == nil; n++ {
		to := p.load.instances[p.random.IntN(len(p.load.instances))]
		p.running.Go(func() { p.one(writing, looking, n, to) })
		sleep(writing, probeEvery)
	}
	p.running.Wait()
}

func (p *probes) one(writing, looking context.Context, n int, to *instance) {
	key := fmt.Sprint("probe-", n%probeKeys)
	answer, ok := p.write(writing, key, n, to)
	if !ok {
		return
	}
	probe := probe{key: "profile:" + key, acknowledged: time.Now()}
	version, _ := history.Version(answer.ETag)
	for probe.effect.IsZero() && looking.Err() == nil {
		if p.reached(looking, probe.key, version) {
			probe.effect = time.Now()
		} else {
			sleep(looking, lookEvery)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = append(p.done, probe)
}

// write sends until it is acknowledged, at any instance: probes are about the way of the
// event, not about the answer.
func (p *probes) write(ctx context.Context, key string, n int, to *instance) (history.Answer, bool) {
	lock := &p.writing[n%probeKeys]
	lock.Lock()
	defer lock.Unlock()
	r := request{method: http.MethodPut, body: fmt.Sprintf(`{"displayName":"probe %d"}`, n), key: strconv.Quote(fmt.Sprint("probe-", n))}
	for try := n; ctx.Err() == nil; try++ {
		if sent := p.load.once(context.WithoutCancel(ctx), "probe", key, r, to); sent.Outcome == history.Answered {
			return sent.Answer, sent.Answer.Status < 300
		}
		to = p.load.instances[try%len(p.load.instances)]
		sleep(ctx, lookEvery)
	}
	return history.Answer{}, false
}

// reached says whether the read model stands at the number; versions and numbers are the
// same here.
func (p *probes) reached(ctx context.Context, key string, number int64) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	got, err := p.views.ReadItem(ctx, azcosmos.NewPartitionKeyString(key), "model", nil)
	if err != nil {
		return false // not there yet, or the store is away
	}
	var m modelDoc
	return json.Unmarshal(got.Value, &m) == nil && m.LastSeq >= number
}

// times are the sorted times from acknowledgement to effect, and how many never came.
func (p *probes) times() (sorted []time.Duration, missing int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.done {
		if d.effect.IsZero() {
			missing++
		} else {
			sorted = append(sorted, d.effect.Sub(d.acknowledged))
		}
	}
	slices.Sort(sorted)
	return sorted, missing
}

// recovery is how long after a fault's end the last effect came of what had been
// acknowledged before it.
func (p *probes) recovery(end time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	longest := time.Duration(0)
	for _, d := range p.done {
		if d.acknowledged.Before(end) && d.effect.After(end) {
			longest = max(longest, d.effect.Sub(end))
		}
	}
	return longest
}

func sleep(ctx context.Context, d time.Duration) {
	_ = pace.Sleep(ctx, d) // whoever sleeps asks ctx next
}
