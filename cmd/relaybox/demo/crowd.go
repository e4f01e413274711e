package demo

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Clients of a fleet: enough for the rate while answers take a quarter of a second, and each write
// has a read beside it.
const leastClients, mostClients = 16, 256

// everyTurn is how often an instance is killed, leaves or joins: six times at least, and once in a
// quarter of a minute.
func everyTurn(length time.Duration) time.Duration { return min(length/7, 15*time.Second) }

// late is how far the last write may be behind the rate.
const late = time.Second

// errRate ends a load that takes longer than it was to, so that a run is as long as was asked for.
var errRate = errors.New("the rate is more than this machine bears")

// playFleet sends writes at the rate, and reads between them, while instances come and go, and waits until
// everything has arrived.
func (r *run) playFleet(ctx context.Context) error {
	stopTelling := r.tell(ctx)
	defer stopTelling()
	if err := r.awaitApp(ctx); err != nil {
		return err
	}
	times := max(1, r.opts.Writes/1000) // as many writes to an entity, however many there are
	r.say("store, bus, proxy and %d instances are up; %d writes to %d profiles and %d orders at %g/s, and as many reads, by %d clients",
		r.opts.Instances, r.opts.Writes, profiles.ids*times, orders.ids*times, r.opts.Rate, r.crowd())
	writes := plan(rand.New(rand.NewPCG(r.opts.Seed, 0)), r.opts.Writes, times)
	length := time.Duration(float64(r.opts.Writes) / r.opts.Rate * float64(time.Second))

	stop := make(chan struct{})
	var turns sync.WaitGroup
	var turned error
	turns.Go(func() {
		if turned = r.fleet.turns(ctx, stop, everyTurn(length)); turned != nil {
			r.say("no more comings and goings: %v", turned)
		}
	})
	began := time.Now()
	r.calm.from = began
	sent := 0
	err := r.send(ctx, writes, pace{over: length}, func(n int) error {
		if time.Since(began) > length+late {
			return errRate
		}
		sent = n + 1
		return nil
	})
	r.calm.to = time.Now()
	r.speed = float64(sent) / r.calm.to.Sub(began).Seconds()
	if errors.Is(err, errRate) {
		r.say("%v: %d of %d writes were sent in time", err, sent, len(writes))
		err = nil
	}
	r.opts.Writes = sent
	close(stop)
	turns.Wait()
	switch {
	case err != nil:
		return err
	case turned != nil:
		return turned
	}
	r.say("all writes are answered")
	return r.drain(ctx)
}

// crowd is how many clients there are.
func (r *run) crowd() int {
	if r.opts.Instances == 0 {
		return clients
	}
	return max(leastClients, min(mostClients, int(r.opts.Rate/2)))
}

// allowed is how old the answer of every other read may be.
const allowed = 10 * time.Second

// look reads an entity, once: who reads can ask again. Every other reader does with an answer that a
// cache has.
func (c *client) look(ctx context.Context, w write) {
	age := allowed * time.Duration(w.number%2)
	began := time.Now()
	f, ok := c.read(ctx, w, age)
	c.journal.read(w.key(), f, age, began, time.Since(began), ok)
}
