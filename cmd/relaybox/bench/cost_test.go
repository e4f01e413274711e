package bench

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/replay"
)

// claim is a number of docs/cost.md.
type claim struct{ value, margin float64 }

// page is docs/cost.md as far as it can be checked.
type page struct {
	operations map[string][]claim // by name: requests, RU of entities and of views, executions, sends
	prices     map[string]float64 // by symbol
	months     map[string][]claim // dollars by line: idle, 1 million, 100 million writes
}

func costPage(t *testing.T) string {
	t.Helper()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(source, "docs", "cost.md"))
	require.NoError(t, err)
	return string(text)
}

func readPage(text string) (p page, err error) {
	p = page{map[string][]claim{}, map[string]float64{}, map[string][]claim{}}
	section := ""
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			section = name
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---"):
		case section == "What an operation takes" && cells[0] != "operation":
			p.operations[cells[0]], err = claims(cells[1:], 0.02)
		case section == "Prices" && cells[0] != "price":
			p.prices[strings.Trim(cells[0], "`")], err = strconv.ParseFloat(cells[2], 64)
		case section == "Three months" && cells[0] != "USD a month":
			p.months[cells[0]], err = claims(cells[2:], 0)
		}
		if err != nil {
			return p, fmt.Errorf("%q: %w", line, err)
		}
	}
	return p, nil
}

// claims reads cells like 39.2 and 16 ± 8. A number that is not whole has share of itself as
// its margin, or half of its last digit.
func claims(cells []string, share float64) (list []claim, err error) {
	for _, cell := range cells {
		number, margin, stated := strings.Cut(cell, " ± ")
		c := claim{}
		if c.value, err = strconv.ParseFloat(number, 64); err != nil {
			return nil, err
		}
		if stated {
			if c.margin, err = strconv.ParseFloat(margin, 64); err != nil {
				return nil, err
			}
		} else if _, fraction, ok := strings.Cut(number, "."); ok {
			c.margin = max(share*c.value, 0.5001*math.Pow10(-len(fraction)))
		}
		list = append(list, c)
	}
	return list, nil
}

// lies are the differences between what is claimed and what is, in words.
func lies(claimed map[string][]claim, is map[string][]float64) (all []string) {
	for name, list := range claimed {
		got, ok := is[name]
		if !ok || len(got) != len(list) {
			all = append(all, fmt.Sprintf("%q: nobody measures it", name))
			continue
		}
		for i, c := range list {
			if math.Abs(c.value-got[i]) > c.margin {
				all = append(all, fmt.Sprintf("%q, column %d: %v ± %.3g, but it is %.2f", name, i+1, c.value, c.margin, got[i]))
			}
		}
	}
	for name := range is {
		if _, ok := claimed[name]; !ok {
			all = append(all, fmt.Sprintf("%q: not on the page", name))
		}
	}
	return all
}

// TestCostOfOperations: docs/cost.md says what each takes.
func TestCostOfOperations(t *testing.T) {
	t.Parallel()
	p, err := readPage(costPage(t))
	require.NoError(t, err)
	require.Empty(t, lies(p.operations, operations(t)))
}

// quiet leaves nothing to the clock: no timer fires, and a look for orphans once a minute, give
// or take a quarter, leaves a handler 45 s to be measured in.
var quiet = map[string]string{
	"AzureWebJobs.OutboxDispatcher.Disabled": "true", "AzureWebJobs.InboxSweeper.Disabled": "true", "RELAYBOX_ORPHAN_LOOK": "1m",
}

// operations measures the rows of the table.
func operations(t *testing.T) map[string][]float64 {
	is := map[string][]float64{}
	folder := appFolder(t)
	inStillness(t, folder, func(s *still) { everyDay(s, is) })
	inStillness(t, folder, func(s *still) { unusual(s, is) })
	inStillness(t, folder, func(s *still) { is["an entity that is replayed"] = replayed(s, false) })
	inStillness(t, folder, func(s *still) { is["… and one that is deleted"] = replayed(s, true) })
	for name, look := range map[string]string{"an instance that is alive for an idle hour": "1s", "… with `RELAYBOX_ORPHAN_LOOK=1m`": "1m"} {
		inStillness(t, folder, func(s *still) {
			s.start(map[string]string{"RELAYBOX_ORPHAN_LOOK": look})
			is[name] = s.measure(func() { time.Sleep(time.Hour - time.Second) }).numbers()
		})
	}
	return is
}

// of is the entity that is measured; its name has the length of the bench's.
const of = "k-000001"

// everyDay measures what requests take. A write of the entity goes before each: what a
// process reads of its containers every few seconds is not the next request's.
func everyDay(s *still, is map[string][]float64) {
	n := 0
	row := func(name string, status int, do func(n int) int) {
		is[name] = s.measure(func() { assert.Equal(s.t, status, do(n), name) }).numbers()
	}
	after := func(name string, status int, do func(n int) int) {
		n++
		time.Sleep(3 * time.Second)
		s.put(of, n)
		time.Sleep(time.Second)
		row(name, status, do)
	}
	write := func(n int) int { return s.put(of, 1000*n) }
	read := func(headers ...string) func(int) int {
		return func(int) int { return s.send(http.MethodGet, of, "", headers...) }
	}

	s.start(quiet)
	s.put("other", 1) // connections
	time.Sleep(time.Second)
	row("the first event of an entity", 201, write)
	after("a warm event", 200, write)
	after("a warm event under an Idempotency-Key", 200, func(int) int { return s.put(of, 0, "Idempotency-Key", `"k"`) })
	row("the same request again", 200, func(int) int { return s.put(of, 0, "Idempotency-Key", `"k"`) })
	after("a write that changes nothing", 200, func(n int) int { return s.put(of, n) })
	after("a write that is refused with 412", 412, func(n int) int { return s.put(of, 0, "If-Match", `"1-other"`) })
	after("a write that is refused with 400", 400, func(int) int { return s.send(http.MethodPut, of, "{") })

	s.start(quiet) // those before have had their time
	s.put("other", 2)
	after("a read", 200, read())
	after("a read with `Cache-Control: no-cache`", 200, read("Cache-Control", "no-cache"))
	row("… and the next one within a minute", 200, read("Cache-Control", "no-cache"))
	after("a read with `Cache-Control: max-age=60` that the cache does not have", 200, read("Cache-Control", "max-age=60"))
	row("… and one that it has", 200, read("Cache-Control", "max-age=60"))
	after("32 warm events of one entity at once", 200, func(n int) int {
		var all sync.WaitGroup
		for i := range 32 {
			all.Go(func() { assert.Equal(s.t, 200, s.put(of, 1000*n+i)) })
		}
		all.Wait()
		return 200
	})
	after("a deletion, warm", 204, func(int) int { return s.send(http.MethodDelete, of, "") })
	s.put(of, 1)
	time.Sleep(time.Second)

	s.start(quiet)
	s.put("other", 3)
	time.Sleep(time.Second)
	row("a cold event", 200, write)
}

// unusual measures what no client asks for.
func unusual(s *still, is map[string][]float64) {
	s.start(quiet)
	is["a sweep that finds nothing"] = s.measure(func() { s.tick("OutboxDispatcher") }).numbers()
	is["an inbox sweep that finds nothing"] = s.measure(func() { s.tick("InboxSweeper") }).numbers()

	s.start(off(quiet, noConsumer))
	s.put(of, 1)
	s.put(of, 2)
	time.Sleep(time.Second)
	events := s.waiting()
	require.Len(s.t, events, 2)
	is["an early event"] = s.measure(func() { s.deliver(events[1]) }).numbers()
	is["… and its predecessor, which takes it along"] = s.measure(func() { s.deliver(events[0]) }).numbers()
}

// replayed is what each of a hundred entities takes that are replayed, or of a hundred deleted
// ones, with its event's way to a consumer that has not had them in hand.
func replayed(s *still, gone bool) []float64 {
	const entities = 100
	s.start(map[string]string{"RELAYBOX_ORPHAN_LOOK": "1m"})
	for n := range entities {
		s.put(fmt.Sprintf("k-%06d", n), n)
		if gone {
			s.send(http.MethodDelete, fmt.Sprintf("k-%06d", n), "")
		}
	}
	time.Sleep(time.Minute)
	s.start(quiet)
	transport := &http.Transport{DialContext: ofPipe(s.storeDoor)}
	defer transport.CloseIdleConnections()
	client := cosmos.Open(cosmos.Connection{ConnectionString: s.store.ConnectionString("http://127.0.1.1:8081")}, cosmos.Options{Transport: transport})
	defer client.Close()
	store := client.Outbox(s.settings["COSMOS_DATABASE"], s.settings["COSMOS_OUTBOX_CONTAINER"], cosmos.OutboxOptions{})
	run := replay.New(outbox.NewWriter(store, outbox.WriterOptions{Source: "/relaybox", CacheBytes: -1}), store, replay.Options{
		Kind: "profile", Subscription: "late", Draft: func(e outbox.Entity) outbox.Draft { return entity.SnapshotOf(e, "late") },
	})
	all := s.measure(func() {
		got, err := run.Do(s.t.Context())
		require.NoError(s.t, err)
		require.Equal(s.t, entities, got.Snapshots)
		time.Sleep(20 * time.Second) // a sweep leaves younger events alone
		s.tick("OutboxDispatcher")
	}).numbers()
	for i := range all {
		all[i] /= entities
	}
	return all
}

// numbers are in the order of the page's columns.
func (s spent) numbers() []float64 {
	return []float64{float64(s.count()), s.outbox, s.inbox, float64(s.executions), float64(s.sends)}
}

// TestCostOfMonths: the months follow from the operations and the prices of the page.
func TestCostOfMonths(t *testing.T) {
	t.Parallel()
	p, err := readPage(costPage(t))
	require.NoError(t, err)
	require.Empty(t, lies(p.months, p.bills()))
}

// month is what the page assumes of one: writes in millions and the share of them that is
// warm, instances that are alive, and GB of logs.
type month struct{ writes, warm, alive, logs float64 }

// bills are the lines of the page's months.
func (p page) bills() map[string][]float64 {
	const seconds, hours, timers, memory, working = 2_592_000, 720, 86_400, 0.5, 2
	taken := func(name string, column int) float64 { return p.operations[name][column].value }
	both := func(name string) float64 { return taken(name, 1) + taken(name, 2) }
	look := (taken("an instance that is alive for an idle hour", 1) - 60*taken("a sweep that finds nothing", 1)) / 3600
	lines := map[string][]float64{}
	for _, m := range []month{
		{alive: 2, logs: 0.2},
		{writes: 1, alive: 4, logs: 2.2},
		{writes: 100, warm: 0.5, alive: 4, logs: 104},
	} {
		all := 0.0
		line := func(name string, dollars float64) {
			lines[name] = append(lines[name], max(0, dollars))
			all += max(0, dollars)
		}
		cosmos := func(name string, units float64) { line(name, units/1e6*p.prices["P_ru"]) }
		cosmos("request units of events", m.writes*1e6*(m.warm*both("a warm event")+(1-m.warm)*both("a cold event")))
		cosmos("… of sweeps", timers/2*(both("a sweep that finds nothing")+both("an inbox sweep that finds nothing")))
		cosmos("… of looks for orphans", m.alive*look*seconds)
		store := all
		active := working * seconds * (1 - math.Exp(-2*m.writes*1e6/(working*seconds)))
		line("GB-seconds", (memory*(active+timers)-100_000)*p.prices["P_gbs"])
		line("executions", (2*m.writes+timers/1e6-0.25)*p.prices["P_exec"])
		line("Service Bus, base", hours*p.prices["P_std"])
		operations := 3 * m.writes
		within := func(from, to float64) float64 { return max(0, min(operations, to)-from) }
		line("… operations", within(13, 100)*p.prices["P_op1"]+within(100, 2500)*p.prices["P_op2"]+within(2500, math.Inf(1))*p.prices["P_op3"])
		line("logs", (m.logs-5)*p.prices["P_log"])
		line("alerts", 7*p.prices["P_alert"])
		lines["**all**"] = append(lines["**all**"], all)

		rate := m.writes * 1e6 / seconds
		hundreds := func(column int, more float64) float64 {
			used := rate*(m.warm*taken("a warm event", column)+(1-m.warm)*taken("a cold event", column)) + more
			return max(4, math.Ceil(used/100)) // a tenth of cosmosMaxThroughput at least
		}
		autoscale := hours * p.prices["P_auto"] * (hundreds(1, m.alive*look) + hundreds(2, 0))
		name := "with autoscale in place of serverless"
		lines[name] = append(lines[name], all-store+autoscale)
	}
	return lines
}

// TestCostFindsLies: the page as it is, with one number changed, a row too many and one too few.
func TestCostFindsLies(t *testing.T) {
	t.Parallel()
	text := costPage(t)
	truth, err := readPage(text)
	require.NoError(t, err)
	is := map[string][]float64{} // what the page says is what is
	for name, list := range truth.operations {
		for _, c := range list {
			is[name] = append(is[name], c.value)
		}
	}
	require.NotEmpty(t, is)
	require.Empty(t, lies(truth.operations, is))
	const warm = "a warm event"
	for name, lie := range map[string]func(page){
		"a request less":           func(p page) { p.operations[warm][0].value-- },
		"a few request units less": func(p page) { p.operations[warm][1].value *= 0.97 },
		"outside of its margin":    func(p page) { c := &p.operations["32 warm events of one entity at once"][0]; c.value += 1.1 * c.margin },
		"nobody measures it":       func(p page) { p.operations["a look"] = p.operations[warm] },
		"not on the page":          func(p page) { delete(p.operations, warm) },
	} {
		p, err := readPage(text)
		require.NoError(t, err)
		lie(p)
		require.Len(t, lies(p.operations, is), 1, name)
	}
	truth.prices["P_ru"] *= 1.01
	require.NotEmpty(t, lies(truth.months, truth.bills()), "another price makes other months")
}

func TestClaims(t *testing.T) {
	t.Parallel()
	list, err := claims([]string{"3", "39.2", "16 ± 8", "0.11"}, 0.02)
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{0, 0.784, 8, 0.005}, []float64{list[0].margin, list[1].margin, list[2].margin, list[3].margin}, 1e-5)
	for _, bad := range []string{"", "three", "3 ± few", "about 3"} {
		_, err := claims([]string{bad}, 0.02)
		require.Error(t, err, bad)
	}
}
