package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
)

// meter reads what a rig has used from when it is started to when it is stopped.
type meter struct {
	rig      *rig
	began    time.Time
	use      map[string]parts.Use
	requests []Requests
	sends    Known
	mallocs  uint64
}

// meterOf starts measuring.
func meterOf(ctx context.Context, r *rig) (*meter, error) {
	m := &meter{rig: r}
	var err error
	if m.requests, err = r.requests(ctx); err != nil {
		return nil, err
	}
	if m.sends, err = r.sends(ctx); err != nil {
		return nil, err
	}
	m.mallocs = mallocs()
	if m.use, err = r.use(); err != nil {
		return nil, err
	}
	m.began = time.Now()
	return m, nil
}

// stop fills in what events took until end; figures that are measured elsewhere are left.
func (m *meter) stop(ctx context.Context, f *Figures, end time.Time) error {
	use, err := m.rig.use()
	if err != nil {
		return fmt.Errorf("a process did not live through it: %w", err)
	}
	if n := m.rig.crashes(); n > 0 {
		return fmt.Errorf("%d processes did not live through it; the logs in %s say why", n, m.rig.dir)
	}
	if len(m.rig.hosts) == 0 && !f.Allocations.Known {
		f.Allocations = known(int64(mallocs() - m.mallocs))
	}
	f.Elapsed = end.Sub(m.began)
	if use != nil {
		f.Processor, f.Peak = map[string]time.Duration{}, map[string]int64{}
	}
	for name, u := range use {
		f.Processor[name] = u.Processor - m.use[name].Processor
		f.Peak[name] = u.Peak
	}
	requests, err := m.rig.requests(ctx)
	if err != nil {
		return err
	}
	f.Requests = since(requests, m.requests)
	sends, err := m.rig.sends(ctx)
	if sends.Known {
		f.Sends = known(sends.Number - m.sends.Number)
	}
	return err
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// since is what was added to before.
func since(now, before []Requests) []Requests {
	list := []Requests{}
	for _, r := range now {
		for _, b := range before {
			if b.Container == r.Container && b.Operation == r.Operation {
				r.Count -= b.Count
				r.Units -= b.Units
			}
		}
		if r.Count > 0 {
			list = append(list, r)
		}
	}
	return list
}

// watching are the operations by which the bench itself looks, which the app has no use for.
var watching = []string{"feed", "ranges"}

// requests are those to the documents of the store so far, by container and operation.
func (r *rig) requests(ctx context.Context) ([]Requests, error) {
	var all []struct {
		Container    string
		Operation    string
		Requests     int64
		RequestUnits float64
	}
	if err := control(ctx, http.MethodGet, parts.Address(r.settings["COSMOS_CONNECTION"]), "charges", nil, &all); err != nil {
		return nil, err
	}
	names := map[string]string{
		r.settings["COSMOS_OUTBOX_CONTAINER"]: "outbox", r.settings["COSMOS_INBOX_CONTAINER"]: "inbox",
		bareOutbox: "outbox", bareInbox: "inbox",
	}
	var list []Requests
	for _, c := range all {
		if name := names[c.Container]; name != "" && !slices.Contains(watching, c.Operation) && c.Operation != "container" {
			list = append(list, Requests{name, c.Operation, c.Requests, c.RequestUnits})
		}
	}
	slices.SortFunc(list, func(a, b Requests) int {
		return cmp.Or(-cmp.Compare(a.Container, b.Container), cmp.Compare(a.Operation, b.Operation))
	})
	return list, nil
}

// countSends makes the bus count what is sent to it: a fault that delays it by as good as
// nothing, which an older bus has, too.
func (r *rig) countSends(ctx context.Context) error {
	return control(ctx, http.MethodPost, r.admin, "faults", map[string]string{"on": "send", "do": "delay", "delay": "1ns"}, nil)
}

func (r *rig) sends(ctx context.Context) (Known, error) {
	var all []struct{ Fired int64 }
	if err := control(ctx, http.MethodGet, r.admin, "faults", nil, &all); err != nil || len(all) == 0 {
		return Known{}, err
	}
	return known(all[0].Fired), nil
}

// control asks a stand-in for what is not the service's.
func control(ctx context.Context, method, addr, what string, body, into any) error {
	url := fmt.Sprintf("http://%s/relaybox/%s", addr, what)
	var text io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		text = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, text)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %.200s", resp.StatusCode, answer)
	}
	if err == nil && into != nil {
		err = json.Unmarshal(answer, into)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, url, err)
	}
	return nil
}
