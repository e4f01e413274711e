package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// workload is something to be measured. ceiling is nil where there is nothing to compare with.
type workload struct {
	name         string
	run, ceiling func(context.Context, *trial) (Figures, error)
	asked        bool     // only by name: it takes long
	ours         bool     // it can't be had of another checkout
	bus          []string // further flags of its bus
}

// family is the name without its variant.
func (w workload) family() string { name, _, _ := strings.Cut(w.name, "/"); return name }

func families(all []workload) []string {
	var names []string
	for _, w := range all {
		names = append(names, w.family())
	}
	return slices.Compact(names)
}

// manyKeys is over how many keys writes are spread, unless a workload says otherwise.
const manyKeys = 1000

// Clients of the workloads, and the rate of the open loop.
const (
	clients    = 16
	hotClients = 32
	openEvery  = time.Second / 200
)

// size is what a workload takes in a full run and in a quick one.
func size(o Options, full, quick int) int {
	if o.Quick {
		return quick
	}
	return full
}

// workloads are all that there are, in the order in which they run.
func workloads(o Options) []workload {
	spread := func(n, of int) []string { return keys(o.Seed, n, of) }
	write, through := spread(size(o, 10_000, 1500), manyKeys), spread(size(o, 10_000, 1500), manyKeys)
	steady := spread(size(o, 6000, 1000), manyKeys)
	hot, wide := spread(size(o, 5000, 500), 1), spread(size(o, 100_000, 1500), 1<<30)
	backlog := spread(size(o, 20_000, 2000), manyKeys)
	all := []workload{
		{name: "write/off", run: flow{keys: write, clients: clients, goal: stored}.run, ceiling: bareWrite(write)},
		{name: "write/on", run: flow{keys: write, clients: clients, goal: answered}.run, ceiling: bareWrite(write)},
		{name: "through", run: flow{keys: through, clients: clients, goal: applied}.run, ceiling: bareThrough(through, clients, 0)},
		{name: "latency", run: flow{keys: steady, every: openEvery, goal: applied, timed: true}.run, ceiling: bareThrough(steady, 0, openEvery)},
		{name: "hot", run: flow{keys: hot, clients: hotClients, goal: applied}.run, ceiling: bareThrough(hot, hotClients, 0)},
		{name: "drain", run: drain{keys: backlog}.run, ceiling: bareDrain(backlog, false)},
		{name: "wide", run: flow{keys: wide, clients: clients, goal: applied}.run, ceiling: bareThrough(wide, clients, 0)},
	}
	for _, n := range []int{1, 2, 5, 10} {
		all = append(all, workload{name: fmt.Sprintf("scale/%d", n), run: flow{keys: through, clients: clients, goal: applied, hosts: n}.run, asked: o.Quick && n > 2})
	}
	all = append(all,
		workload{name: "inner", run: inner{write}.run, ceiling: bareSend(write), ours: true},
		workload{name: "idle", run: idle{time.Duration(size(o, 60, 10)) * time.Second}.run},
	)
	for name, of := range map[string]int{"million": manyKeys, "million/deep": 100, "million/keys": 1 << 30} {
		backlog := spread(size(o, 1_000_000, 20_000), of)
		all = append(all, workload{name: name, run: drain{backlog, true}.run, ceiling: bareDrain(backlog, true), asked: true, ours: true, bus: []string{"--bus-entity-mb", "4096"}})
	}
	return all
}
