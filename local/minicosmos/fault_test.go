package minicosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// What a client sees of each effect, and what is stored then.
func TestFaults(t *testing.T) {
	t.Parallel()
	for effect, want := range map[Effect]struct {
		status    int
		substatus string
		stored    bool
	}{
		Throttle: {429, "3200", false}, RetryWith: {449, "", false}, Gone: {410, "1002", false}, Unavailable: {503, "", false},
		Timeout: {408, "", false}, Broken: {500, "", false}, DropBefore: {0, "", false}, DropAfter: {0, "", true},
	} {
		t.Run(string(effect), func(t *testing.T) {
			t.Parallel()
			s, c := startContainer(t, outboxLike("c"))
			require.NoError(t, s.Inject(Fault{Database: "db", Container: "c", On: OpBatch, Do: effect, Times: 1}))
			write := func() error {
				_, err := run(c, "a", nil, func(b *azcosmos.TransactionalBatch) { b.CreateItem(doc(t, m{"id": "1", "pk": "a"}), nil) })
				return err
			}
			err := write()
			require.Error(t, err)
			if want.status != 0 {
				require.Equal(t, want.status, status(t, err))
				var response *azcore.ResponseError
				require.ErrorAs(t, err, &response)
				require.Equal(t, want.substatus, response.RawResponse.Header.Get("x-ms-substatus"))
				require.Equal(t, effect == Throttle, response.RawResponse.Header.Get("x-ms-retry-after-ms") == "10")
			}
			require.Equal(t, want.stored, len(s.Documents("db", "c")) == 1)
			require.NoError(t, write(), "it is over")
			require.Equal(t, 1, s.Faults()[0].Fired)
			for _, total := range s.Charges() {
				if total.Operation == OpBatch {
					require.EqualValues(t, 1, total.Items, "what was stored was counted once")
				}
			}
		})
	}
}

func TestDelayAndNoSession(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "1", 0)
	require.NoError(t, s.Inject(Fault{On: OpRead, Do: Delay, Delay: Duration(50 * time.Millisecond), Times: 1}))
	began := time.Now()
	_, err := c.ReadItem(context.Background(), pk("a"), "1", nil)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	require.NoError(t, s.Inject(Fault{Do: NoSession, Times: 5}))
	_, err = c.ReadItem(context.Background(), pk("a"), "1", nil)
	require.Equal(t, 404, status(t, err))
	put(t, c, "a", "1", 1) // it is about reads
}

// A token of another container, or of the future, finds no replica.
func TestSessionTokens(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "1", 0)
	read := func(token string) int {
		_, err := c.ReadItem(context.Background(), pk("a"), "1", &azcosmos.ItemOptions{SessionToken: &token})
		return status(t, err)
	}
	require.Equal(t, 0, read("0:0#1#0=1"))
	require.Equal(t, 0, read("0:1"))
	require.Equal(t, 0, read("7:0#9#0=9"), "another range's")
	require.Equal(t, 404, read("0:0#2#0=2"))
	require.Equal(t, 404, read("7:0#1,0:0#2#0=2"))
	require.NoError(t, s.Split("db", "c", 0))
	require.Equal(t, 0, read("0:0#1#0=1"), "the parent's token holds")
	require.Equal(t, 404, read("0:0#2#0=2"))
}

// A lagging replica misses the newest writes and still has what was deleted; a session token or a strong read does not
// see it.
func TestStaleReads(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	put(t, c, "a", "deleted", 0)
	put(t, c, "a", "updated", 1)
	require.NoError(t, s.Inject(Fault{Do: Stale, Delay: Duration(time.Hour)}))
	_, err := c.DeleteItem(context.Background(), pk("a"), "deleted", nil)
	require.NoError(t, err)
	updated, err := c.UpsertItem(context.Background(), pk("a"), doc(t, m{"id": "updated", "pk": "a", "n": 2}), nil)
	require.NoError(t, err)

	see := func(o *azcosmos.QueryOptions) string {
		list, err := query(t, c, "SELECT c.id, c.n FROM c ORDER BY c.id", pk("a"), o)
		require.NoError(t, err)
		return strings.Join(list, "")
	}
	const old, current = `{"id":"deleted","n":0}{"id":"updated","n":1}`, `{"id":"updated","n":2}`
	require.Equal(t, old, see(nil))
	require.Equal(t, current, see(&azcosmos.QueryOptions{SessionToken: updated.SessionToken}))
	require.Equal(t, current, see(&azcosmos.QueryOptions{ConsistencyLevel: azcosmos.ConsistencyLevelStrong.ToPtr()}))
	_, err = c.ReadItem(context.Background(), pk("a"), "deleted", nil)
	require.NoError(t, err)
	_, err = c.ReadItem(context.Background(), pk("a"), "deleted", &azcosmos.ItemOptions{SessionToken: updated.SessionToken})
	require.Equal(t, 404, status(t, err))
	require.Equal(t, "deleted updated", ids((&follower{c: c}).drain(t)))
	s.ClearFaults()
	require.Equal(t, current, see(nil))
}

// With a chance a scan's pages come from different replicas: one may miss what the next has. Nothing is missed for ever.
func TestStaleFeedCatchesUp(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	require.NoError(t, s.Inject(Fault{Do: Stale, Delay: Duration(30 * time.Millisecond), Chance: 0.7}))
	f := follower{c: c}
	seen := map[string]bool{}
	for i := range 100 {
		put(t, c, "a", fmt.Sprint(i), 0)
		for _, one := range f.page(t) {
			require.False(t, seen[one.ID], "a feed's token never goes back")
			seen[one.ID] = true
		}
	}
	require.Eventually(t, func() bool {
		for _, one := range f.page(t) {
			seen[one.ID] = true
		}
		return len(seen) == 100
	}, time.Minute, time.Millisecond)
}

// A budget lets through what a range has left of its second, and says when there is more.
func TestBudget(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	require.NoError(t, s.Inject(Fault{Do: Budget, RequestUnits: 2})) // the first creation owes 3.8 and more: two seconds' worth
	create := func(id string) error {
		_, err := c.CreateItem(context.Background(), pk("a"), doc(t, m{"id": id, "pk": "a"}), nil)
		return err
	}
	require.NoError(t, create("1"))
	err := create("2")
	require.Equal(t, 429, status(t, err))
	var response *azcore.ResponseError
	require.ErrorAs(t, err, &response)
	wait := response.RawResponse.Header.Get("x-ms-retry-after-ms")
	pause, err := time.ParseDuration(wait + "ms")
	require.NoError(t, err)
	time.Sleep(pause + 5*time.Millisecond) // what the client was asked for
	require.NoError(t, create("3"))
	require.Equal(t, 1, s.Faults()[0].Fired)
	for _, charge := range s.Charges() {
		if charge.Operation == OpCreate {
			require.EqualValues(t, 3, charge.Requests)
			require.EqualValues(t, 1, charge.Throttled)
		}
	}
}

// Without a number the offer is the budget, shared by the ranges; a container that says nothing has the least one.
func TestBudgetOfAnOffer(t *testing.T) {
	t.Parallel()
	s := RunT(t, func(o *Options) { o.Ranges = 2 })
	client := connect(t, s.ConnectionString())
	_, err := client.CreateDatabase(context.Background(), azcosmos.DatabaseProperties{ID: "db"}, nil)
	require.NoError(t, err)
	db, err := client.NewDatabase("db")
	require.NoError(t, err)
	throughput := azcosmos.NewManualThroughputProperties(600)
	_, err = db.CreateContainer(context.Background(), outboxLike("sold"), &azcosmos.CreateContainerOptions{ThroughputProperties: &throughput})
	require.NoError(t, err)
	_, err = db.CreateContainer(context.Background(), outboxLike("free"), nil)
	require.NoError(t, err)
	for name, want := range map[string]float64{"sold": 300, "free": 200} {
		c, bad := s.account.Container("db", name)
		require.Nil(t, bad)
		require.InDelta(t, want, c.Rate(), 0)
	}
}

func TestBadFaults(t *testing.T) {
	t.Parallel()
	s := RunT(t)
	for want, f := range map[string]Fault{
		`do is ""`:                              {},
		`on is "write": with do "throttle"`:     {On: "write", Do: Throttle},
		`on is "create": with do "shuffle"`:     {On: OpCreate, Do: Shuffle},
		"times is -1":                           {Do: Throttle, Times: -1},
		"chance is 2":                           {Do: Throttle, Chance: 2},
		"delay is 0s":                           {Do: Stale},
		"delay is 1s":                           {Do: Gone, Delay: Duration(time.Second)},
		"requestUnits is 5":                     {Do: Gone, RequestUnits: 5},
		`container is "c": an operation on off`: {On: OpOffer, Do: Gone, Container: "c"},
	} {
		err := s.Inject(f)
		require.ErrorIs(t, err, ErrFault)
		require.ErrorContains(t, err, want)
	}
	require.Empty(t, s.Faults())
}

// TestFaultsAreForWhatIsThere: one for another container would never happen, and nobody would know.
func TestFaultsAreForWhatIsThere(t *testing.T) {
	t.Parallel()
	s, _ := startContainer(t, outboxLike("c"))
	for want, f := range map[string]Fault{
		`database is "none": there is none of that name; there are [db]`: {Database: "none", Do: Gone},
		`container is "d": there is none of that name; there are [c]`:    {Container: "d", Do: Gone},
		`container is "e": there is none of that name; there are [c]`:    {Database: "db", Container: "e", On: OpBatch, Do: Gone},
	} {
		err := s.Inject(Fault{Do: Gone}, f)
		require.ErrorIs(t, err, ErrFault)
		require.ErrorContains(t, err, want)
	}
	require.Empty(t, s.Faults(), "all of a list or nothing")
	require.NoError(t, s.Inject(Fault{Container: "c", Do: Gone}, Fault{Database: "db", Do: Gone}, Fault{Database: "new", On: OpDatabase, Do: Gone}, Fault{Database: "db", Container: "new", On: OpContainer, Do: Gone}))
}

func TestFaultsOverHTTP(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	do := func(method, path, body string, change func(*http.Request)) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/json")
		if change != nil {
			change(r)
		}
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		defer func() { require.NoError(t, answer.Body.Close()) }()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(text)
	}
	code, text := do("POST", faulthttp.Path, `[{"on":"create","do":"throttle","delay":"7ms","times":1},{"do":"budget","requestUnits":1000}]`, nil)
	require.Equal(t, 200, code, text)
	require.JSONEq(t, `[{"on":"create","do":"throttle","delay":"7ms","times":1,"fired":0},{"do":"budget","requestUnits":1000,"fired":0}]`, text)
	_, err := c.CreateItem(context.Background(), pk("a"), doc(t, m{"id": "1", "pk": "a"}), nil)
	require.Equal(t, 429, status(t, err))
	put(t, c, "a", "1", 0)

	var list []Charge
	_, text = do("GET", chargesPath, "", nil)
	require.NoError(t, json.Unmarshal([]byte(text), &list))
	totals := map[Operation]Charge{}
	for _, one := range list {
		totals[one.Operation] = one
	}
	require.Equal(t, Charge{Database: "db", Container: "c", Operation: OpCreate, Requests: 1, Refused: 1, Throttled: 1, RequestUnits: wire.ChargeThrottled}, totals[OpCreate])
	require.InDelta(t, 5.8, totals[OpUpsert].RequestUnits, 1)
	_, text = do("DELETE", chargesPath, "", nil)
	require.NotEmpty(t, text)
	require.Empty(t, s.Charges())
	code, text = do("GET", documentsPath+"/db/c", "", nil)
	require.Equal(t, 200, code)
	require.JSONEq(t, string(s.Documents("db", "c")[0]), text, "one document is one line")
	_, text = do("GET", documentsPath+"/db/none", "", nil)
	require.Empty(t, text)

	for want, refused := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		code               int
	}{
		"no JSON":                            {"POST", faulthttp.Path, "{", nil, 400},
		"the fields are":                     {"POST", faulthttp.Path, `{"do":"gone","at":"create"}`, nil, 400},
		"no duration":                        {"POST", faulthttp.Path, `{"do":"delay","delay":"soon"}`, nil, 400},
		`do is "burn"`:                       {"POST", faulthttp.Path, `{"do":"burn"}`, nil, 400},
		"application/json":                   {"POST", faulthttp.Path, `{"do":"gone"}`, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"this machine only":                  {"GET", faulthttp.Path, "", func(r *http.Request) { r.Host = "192.168.1.5" }, 403},
		"use one of DELETE, GET, HEAD, POST": {"PUT", faulthttp.Path, "", nil, 405},
		"use one of DELETE, GET, HEAD":       {"POST", chargesPath, "", nil, 405},
		"use one of GET, HEAD":               {"DELETE", documentsPath + "/db/c", "", nil, 405},
		"use /relaybox/":                     {"GET", "/relaybox/other", "", nil, 404},
	} {
		code, text := do(refused.method, refused.path, refused.body, refused.change)
		require.Equal(t, refused.code, code, text)
		require.Contains(t, text, want)
	}
	code, text = do("DELETE", faulthttp.Path, "", nil)
	require.Equal(t, 200, code)
	require.JSONEq(t, "[]", text)
}

// What a batch costs is the sum of what its operations cost.
func TestChargesOfABatch(t *testing.T) {
	t.Parallel()
	s, c := startContainer(t, outboxLike("c"))
	r, err := run(c, "a", nil, func(b *azcosmos.TransactionalBatch) {
		b.CreateItem(doc(t, m{"id": "1", "pk": "a"}), nil)
		b.CreateItem(doc(t, m{"id": "2", "pk": "a", "pending": true}), nil)
	})
	require.NoError(t, err)
	sum := 0.0
	for _, o := range r.OperationResults {
		require.Positive(t, o.RequestCharge)
		sum += float64(o.RequestCharge)
	}
	require.InDelta(t, sum, float64(r.RequestCharge), 0.01)
	for _, total := range s.ResetCharges() {
		if total.Operation == OpBatch {
			require.InDelta(t, sum, total.RequestUnits, 0.01)
			require.EqualValues(t, 2, total.Items)
		}
	}
}
