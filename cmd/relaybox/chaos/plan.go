package chaos

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// sort is a sort of fault: one line of the table.
type sort string

// The sorts.
const (
	kills    sort = "kills"    // SIGKILL
	freezes  sort = "freezes"  // SIGSTOP, and SIGCONT later
	cuts     sort = "cuts"     // of an instance's link to the store or the bus
	outages  sort = "outages"  // the store or the bus answers with errors, or late, or not
	refusals sort = "refusals" // the bus refuses messages for what they are
	resends  sort = "resends"  // of old events, past the broker's window
	disks    sort = "disks"    // the store's or the bus's is full; only where it has one of its own
)

var sorts = []sort{kills, freezes, cuts, outages, refusals, resends, disks}

// fault is one thing that goes wrong on purpose.
type fault struct {
	At   time.Duration // since the faults began
	Sort sort
	// Target is store, bus, or the number of an instance as i0, i1, …
	Target string
	// Do is what happens: see apply.
	Do string
	// Hold is how long it lasts.
	Hold time.Duration
	// Switch is the stand-in's own fault, as JSON, for those that are switched.
	Switch string
}

// String is the fault as a line of the transcript.
func (f fault) String() string {
	text := fmt.Sprintf("%s %s %s", f.Sort, f.Target, f.Do)
	if f.Hold > 0 {
		text += fmt.Sprintf(" for %v", f.Hold.Round(time.Millisecond))
	}
	if f.Switch != "" {
		text += " " + f.Switch
	}
	return text
}

// planner draws faults lane by lane: what is in one lane happens one after another, the
// lanes at the same time.
type planner struct {
	seed      uint64
	lanes     uint64
	random    *rand.Rand // of the lane
	instances int
	length    time.Duration
	plan      []fault
	// busy are the times in which something lasts that must not happen twice at a time.
	busy map[string][]gap
}

// draw makes the faults of a run: the same for the same seed, length and instances.
func draw(seed uint64, length time.Duration, instances int, without []string) []fault {
	p := &planner{seed: seed, instances: instances, length: length, busy: map[string][]gap{}}
	// An instance is killed every 20 s on average, whatever their number.
	p.lane(between(10*time.Second, 30*time.Second, instances), p.kill)
	p.lane(gap{4 * time.Second, 10 * time.Second}, p.freeze)
	p.lane(gap{3 * time.Second, 8 * time.Second}, p.cut)
	p.lane(gap{2 * time.Second, 6 * time.Second}, p.store)
	p.lane(gap{3 * time.Second, 8 * time.Second}, p.bus)
	p.lane(gap{time.Second, 4 * time.Second}, p.refuse)
	p.lane(gap{3 * time.Second, 6 * time.Second}, p.resend)
	p.lane(gap{8 * time.Second, 20 * time.Second}, p.disk)
	p.plan = slices.DeleteFunc(p.plan, func(f fault) bool { return slices.Contains(without, string(f.Sort)) })
	slices.SortStableFunc(p.plan, func(a, b fault) int { return int(a.At - b.At) })
	return p.plan
}

// gap is the time between two faults of a lane, or from one moment to another.
type gap struct{ from, to time.Duration }

func between(from, to time.Duration, instances int) gap {
	return gap{from / time.Duration(instances), to / time.Duration(instances)}
}

func (p *planner) within(from, to time.Duration) time.Duration {
	return from + time.Duration(p.random.Int64N(int64(to-from)))
}

// lane draws faults until the end. one may draw none.
func (p *planner) lane(g gap, one func(at time.Duration) (fault, bool)) {
	p.lanes++
	p.random = rand.New(rand.NewPCG(p.seed, 10+p.lanes)) // so that lanes don't depend on each other
	for at := p.within(g.from, g.to); at < p.length; at += p.within(g.from, g.to) {
		f, ok := one(at)
		if !ok {
			continue
		}
		f.At = at
		f.Hold = min(f.Hold, p.length-at) // they end with the run
		p.plan = append(p.plan, f)
	}
}

// free takes a target until the end of a fault; false if it has one meanwhile.
func (p *planner) free(target string, at, hold time.Duration) bool {
	if slices.ContainsFunc(p.busy[target], func(g gap) bool { return at <= g.to && g.from <= at+hold }) {
		return false
	}
	p.busy[target] = append(p.busy[target], gap{at, at + hold})
	return true
}

func (p *planner) instance() string { return fmt.Sprint("i", p.random.IntN(p.instances)) }

func (p *planner) kill(time.Duration) (fault, bool) {
	f := fault{Sort: kills, Hold: p.within(50*time.Millisecond, 2*time.Second)}
	switch n := p.random.IntN(20); {
	case n < 10:
		f.Target, f.Do, f.Hold = p.instance(), "handler", 0
	case n < 16:
		f.Target, f.Do = p.instance(), "host and handler"
	case n < 18:
		f.Target, f.Do = "bus", "process"
	default:
		f.Target, f.Do = "store", "process"
	}
	return f, true
}

// freeze holds instances for longer than a lock and every timeout, and servers for less.
func (p *planner) freeze(at time.Duration) (fault, bool) {
	f := fault{Sort: freezes, Target: p.instance(), Hold: p.within(lockTime+time.Second, 5*lockTime)}
	switch n := p.random.IntN(10); {
	case n < 3:
		f.Do = "handler"
	case n < 8:
		f.Do = "host and handler"
	case n < 9:
		f.Target, f.Do, f.Hold = "bus", "process", p.within(time.Second, 6*time.Second)
	default:
		f.Target, f.Do, f.Hold = "store", "process", p.within(time.Second, 6*time.Second)
	}
	return f, p.free("freeze "+f.Target, at, f.Hold)
}

func (p *planner) cut(at time.Duration) (fault, bool) {
	side := []string{"store", "bus"}[p.random.IntN(2)]
	f := fault{Sort: cuts, Target: p.instance()}
	switch p.random.IntN(3) {
	case 0:
		f.Do, f.Hold = "cut from "+side, p.within(500*time.Millisecond, 8*time.Second)
	case 1:
		f.Do, f.Hold = "stall to "+side, p.within(time.Second, 15*time.Second)
	default:
		f.Do, f.Hold = "slow to "+side, p.within(3*time.Second, 10*time.Second)
	}
	return f, p.free("link "+f.Target+side, at, f.Hold)
}

// switches are what the stand-ins do when they are told to. A batch is refused as a whole,
// then its messages one by one: times and chance decide which of them.
var storeSwitches = []string{
	`{"do":"throttle","chance":0.3}`,
	`{"do":"unavailable","chance":0.5}`,
	`{"do":"unavailable"}`,
	`{"on":"batch","do":"drop-after","chance":0.3}`,
	`{"on":"batch","do":"drop-before","chance":0.3}`,
	`{"do":"stale","delay":"2s"}`,
	`{"do":"stale","delay":"20s"}`,
	`{"do":"stale","delay":"20s"}`,
	`{"on":"batch","do":"delay","delay":"300ms","chance":0.5}`,
	`{"do":"timeout","chance":0.3}`,
	`{"do":"retry-with","on":"batch","chance":0.3}`,
	`{"do":"gone","chance":0.3}`,
	`{"on":"read","do":"no-session","chance":0.5}`,
}

var busSwitches = []string{
	`{"on":"send","do":"busy","chance":0.5}`,
	`{"on":"send","do":"refuse","chance":0.5}`,
	`{"on":"send","do":"drop-before","chance":0.3}`,
	`{"on":"send","do":"drop-after","chance":0.3}`,
	`{"on":"send","do":"stall","times":5}`,
	`{"on":"send","do":"delay","delay":"200ms"}`,
	// These two use up deliveries of events that have had their effect. Seldom enough that none
	// uses up all ten: half of the time, one in 512 would.
	`{"on":"settle","do":"lose-lock","chance":0.15}`,
	`{"on":"settle","do":"duplicate","chance":0.15}`,
	`{"on":"settle","do":"drop-after","chance":0.1}`,
	`{"on":"receive","do":"drop-before","chance":0.1}`,
	`{"on":"accept","do":"reorder"}`,
	`{"on":"attach","do":"refuse","chance":0.5}`,
}

// refuseSome and refuseAll blame the messages.
var refuseSome = []string{
	`{"on":"send","do":"refuse","condition":"amqp:not-allowed","chance":0.5,"times":3}`,
	`{"on":"send","do":"refuse","condition":"amqp:not-allowed","chance":0.4,"times":12}`,
	`{"on":"send","do":"refuse","condition":"amqp:precondition-failed","chance":0.3,"times":12}`,
}

const refuseAll = `{"on":"send","do":"refuse","condition":"amqp:not-allowed"}`

func (p *planner) store(at time.Duration) (fault, bool) {
	f := fault{Sort: outages, Target: "store", Do: "switch", Hold: p.within(time.Second, 10*time.Second)}
	f.Switch = storeSwitches[p.random.IntN(len(storeSwitches))]
	return f, p.free("switch store", at, f.Hold)
}

func (p *planner) bus(at time.Duration) (fault, bool) {
	f := fault{Sort: outages, Target: "bus", Do: "switch", Hold: p.within(time.Second, 6*time.Second)}
	f.Switch = busSwitches[p.random.IntN(len(busSwitches))]
	return f, p.free("switch bus", at, f.Hold)
}

// refuse is over in a moment, or refuses everything for seconds. What is refused again and
// again while others get through would be given up, and rightly.
func (p *planner) refuse(at time.Duration) (fault, bool) {
	f := fault{Sort: refusals, Target: "bus", Do: "switch", Hold: p.within(300*time.Millisecond, time.Second), Switch: refuseAll}
	if p.random.IntN(6) > 0 {
		f.Switch = refuseSome[p.random.IntN(len(refuseSome))]
	} else {
		f.Hold = p.within(time.Second, 6*time.Second)
	}
	return f, p.free("switch bus", at, f.Hold)
}

func (p *planner) resend(at time.Duration) (fault, bool) {
	return fault{Sort: resends, Target: "bus", Do: "old events"}, at > duplicateWindow
}

func (p *planner) disk(at time.Duration) (fault, bool) {
	f := fault{Sort: disks, Target: []string{"store", "bus"}[p.random.IntN(2)], Do: "full", Hold: p.within(4*time.Second, 15*time.Second)}
	return f, p.free("disk "+f.Target, at, f.Hold)
}
