package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/internal/history"
)

// Report is the outcome of a run.
type Report struct {
	Seed      uint64        `json:"seed"`
	Instances int           `json:"instances"`
	Length    time.Duration `json:"length"`
	// Faults counts them by sort; Idle are those that met nobody, Crashes ends of processes
	// that nobody asked for.
	Faults  map[sort]int `json:"faults"`
	Idle    int          `json:"idle"`
	Crashes int          `json:"crashes"`

	Entities     int `json:"entities"`
	Reads        int `json:"reads"`
	Writes       int `json:"writes"`
	Acknowledged int `json:"acknowledged"`
	Refused      int `json:"refused"`   // 404, 412, 422
	NotStored    int `json:"notStored"` // told, or never connected
	InDoubt      int `json:"inDoubt"`
	Events       int `json:"events"`
	Copies       int `json:"copies"` // further ones on the topic

	Probes  int           `json:"probes"`
	Unseen  int           `json:"unseen"` // probes whose effect never came
	P50     time.Duration `json:"p50"`    // from acknowledgement to effect
	P99     time.Duration `json:"p99"`
	Max     time.Duration `json:"max"`
	Recover time.Duration `json:"longestRecovery"`
	// Slowest is the fault after which it took longest.
	Slowest string `json:"slowest"`

	Breaches []Breach `json:"breaches"`
}

// Broken are the kinds of breaches that there are.
func (r *Report) Broken() []Kind {
	var found []Kind
	for _, kind := range Kinds {
		if r.count(kind) > 0 {
			found = append(found, kind)
		}
	}
	return found
}

func (r *Report) count(kind Kind) (n int) {
	for _, b := range r.Breaches {
		if b.Kind == kind {
			n++
		}
	}
	return n
}

// measure fills in what the clients, the faults and the probes tell.
func (r *Report) measure(record *history.Recorder, e *evidence, i *injector, p *probes, c *cluster) {
	r.Faults, r.Idle = i.count, i.idle
	for _, p := range append([]*parts.Process{c.store, c.bus}, hosts(c)...) {
		r.Crashes += p.Crashes()
	}
	for _, key := range record.Keys() {
		r.Entities++
		for _, call := range record.Calls(key) {
			r.add(call)
		}
	}
	for _, events := range e.topic {
		ids := map[string]bool{}
		for _, e := range events {
			ids[e.id] = true
		}
		r.Events += len(ids)
		r.Copies += len(events) - len(ids)
	}
	times, unseen := p.times()
	if r.Probes, r.Unseen = len(times)+unseen, unseen; len(times) > 0 {
		r.P50, r.P99, r.Max = times[len(times)/2], times[len(times)*99/100], times[len(times)-1]
	}
	for _, end := range i.ends {
		if end.fault.Sort == resends {
			continue // nothing has to recover from it
		}
		if took := p.recovery(end.at); took > r.Recover {
			r.Recover, r.Slowest = took, end.fault.String()
		}
	}
}

func hosts(c *cluster) (all []*parts.Process) {
	for _, i := range c.instances {
		all = append(all, i.host)
	}
	return all
}

func (r *Report) add(c history.Call) {
	if c.Method == "GET" {
		r.Reads++
		return
	}
	r.Writes++
	switch {
	case c.Outcome == history.Open:
		r.InDoubt++
	case c.Outcome == history.NotStored:
		r.NotStored++
	case c.Answer.Status < 300:
		r.Acknowledged++
	default:
		r.Refused++
	}
}

// print writes the table.
func (r *Report) print(w io.Writer) error {
	var b strings.Builder
	line := func(name string, format string, args ...any) {
		fmt.Fprintf(&b, "%-18s %s\n", name, fmt.Sprintf(format, args...))
	}
	short := func(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
	b.WriteString("\n")
	line("seed", "%d, %d instances, %v", r.Seed, r.Instances, short(r.Length))
	for _, s := range sorts {
		line(string(s), "%d", r.Faults[s])
	}
	line("met nobody", "%d", r.Idle)
	line("unasked ends", "%d processes", r.Crashes)
	b.WriteString("\n")
	line("entities", "%d, %d events, %d further copies on the topic", r.Entities, r.Events, r.Copies)
	line("reads", "%d", r.Reads)
	line("writes", "%d", r.Writes)
	line("acknowledged", "%d", r.Acknowledged)
	line("refused", "%d", r.Refused)
	line("not stored", "%d", r.NotStored)
	line("in doubt", "%d", r.InDoubt)
	line("write to effect", "p50 %v, p99 %v, max %v of %d probes, %d never", short(r.P50), short(r.P99), short(r.Max), r.Probes, r.Unseen)
	line("longest recovery", "%v after: %s", short(r.Recover), r.Slowest)
	b.WriteString("\n")
	for _, kind := range Kinds {
		line(string(kind), "%d", r.count(kind))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// breachesShown of a kind, and storiesShown of entities, are printed; report.json and the
// files of stories have the others.
const breachesShown, storiesShown = 10, 3

// keep writes the evidence of a run that went wrong: the stories of the broken entities,
// and everything that the witnesses saw.
func (r *run) keep(w io.Writer) error {
	told, shown := map[Kind]int{}, map[string]bool{}
	for _, b := range r.report.Breaches {
		if told[b.Kind]++; told[b.Kind] > breachesShown {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s\n", b.Kind, b.Key, b.Text); err != nil {
			return err
		}
	}
	for _, b := range r.report.Breaches {
		if b.Key == "" || shown[b.Key] {
			continue
		}
		shown[b.Key] = true
		story := r.story(b.Key)
		file := filepath.Join(r.opts.Dir, "story-"+strings.ReplaceAll(b.Key, ":", "-")+".txt")
		if err := os.WriteFile(file, []byte(story), 0o600); err != nil {
			return err
		}
		if len(shown) <= storiesShown {
			if _, err := fmt.Fprintf(w, "\n%s", story); err != nil {
				return err
			}
		}
	}
	text, err := json.MarshalIndent(r.report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.opts.Dir, "report.json"), text, 0o600)
}

// story is everything that is known about an entity.
func (r *run) story(key string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The story of %s, seed %d\n", key, r.report.Seed)
	for _, breach := range r.report.Breaches {
		if breach.Key == key {
			fmt.Fprintf(&b, "  %s: %s\n", breach.Kind, breach.Text)
		}
	}
	fmt.Fprintf(&b, "calls (start and end in seconds since the run began):\n")
	for _, c := range r.record.Calls(key) {
		fmt.Fprintf(&b, "  %8.3f %8.3f  %v\n", c.Start.Sub(r.began).Seconds(), c.End.Sub(r.began).Seconds(), c)
	}
	fmt.Fprintf(&b, "on the topic:\n")
	for _, e := range r.evidence.topic[key] {
		fmt.Fprintf(&b, "  %8.3f  %v\n", e.at.Sub(r.began).Seconds(), e)
	}
	fmt.Fprintf(&b, "stored:\n")
	for _, text := range slices.Concat(r.stored, r.views) {
		if strings.Contains(string(text), `"`+key+`"`) {
			fmt.Fprintf(&b, "  %s\n", text)
		}
	}
	return b.String()
}
