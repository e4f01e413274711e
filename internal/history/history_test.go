package history_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
)

const life = "a1"

// limit is more than any of these small histories needs.
const limit = 10 * time.Second

// call is one from second start to second end; its answer follows.
func call(start, end int, method, name string, more ...func(*history.Call)) history.Call {
	zero := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := history.Call{
		Method: method, Outcome: history.Answered,
		Start: zero.Add(time.Duration(start) * time.Second), End: zero.Add(time.Duration(end) * time.Second),
	}
	if name != "" {
		c.Body = fmt.Sprintf(`{"displayName":%q}`, name)
	}
	for _, f := range more {
		f(&c)
	}
	return c
}

func put(start, end int, name string, more ...func(*history.Call)) history.Call {
	return call(start, end, http.MethodPut, name, more...)
}

func del(start, end int, more ...func(*history.Call)) history.Call {
	return call(start, end, http.MethodDelete, "", more...)
}

// get is a current read.
func get(start, end int, more ...func(*history.Call)) history.Call {
	return call(start, end, http.MethodGet, "", append(more, func(c *history.Call) { c.Current = true })...)
}

// read is a session read.
func read(start, end int, more ...func(*history.Call)) history.Call {
	return call(start, end, http.MethodGet, "", more...)
}

func tag(version int) string { return fmt.Sprintf(`"%d-%s"`, version, life) }

// says is an answer that shows a version.
func says(status, version int, name string) func(*history.Call) {
	return func(c *history.Call) {
		c.Answer = history.Answer{
			Status: status, ETag: tag(version),
			Body: fmt.Sprintf(`{"id":"x","displayName":%q,"version":%d,"updatedAt":"2026-01-01T00:00:%02dZ"}`, name, version, version),
		}
	}
}

// status is an answer that shows nothing.
func status(s int) func(*history.Call) {
	return func(c *history.Call) { c.Answer = history.Answer{Status: s} }
}

func open(c *history.Call)      { c.Outcome, c.Answer = history.Open, history.Answer{} }
func notStored(c *history.Call) { c.Outcome, c.Answer = history.NotStored, history.Answer{Status: 503} }

func key(k string) func(*history.Call) { return func(c *history.Call) { c.IdempotencyKey = k } }
func ifMatch(t string) func(*history.Call) {
	return func(c *history.Call) { c.IfMatch = t }
}
func ifNone(c *history.Call) { c.IfNoneMatch = "*" }
func effect(e history.Effect) func(*history.Call) {
	return func(c *history.Call) { c.Effect = e }
}

func TestHistories(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want  history.Judgement
		calls []history.Call
	}{
		"nothing":                  {history.Fine, nil},
		"one after another":        {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", says(200, 2, "Bob")), get(4, 5, says(200, 2, "Bob")), del(6, 7, status(204)), get(8, 9, status(404)), put(10, 11, "Ann", says(201, 4, "Ann"))}},
		"no-op":                    {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Ann", says(200, 1, "Ann"))}},
		"concurrent, second first": {history.Fine, []history.Call{put(0, 9, "Ann", says(200, 2, "Ann")), put(1, 8, "Bob", says(201, 1, "Bob"))}},
		"patch":                    {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), call(2, 3, http.MethodPatch, "Bob", says(200, 2, "Bob")), del(4, 5, status(204)), call(6, 7, http.MethodPatch, "Eve", status(404))}},
		"conditions": {history.Fine, []history.Call{
			put(0, 1, "Ann", ifNone, says(201, 1, "Ann")), put(2, 3, "Bob", ifNone, status(412)), put(4, 5, "Bob", ifMatch(tag(1)), says(200, 2, "Bob")),
			put(6, 7, "Eve", ifMatch(tag(1)), status(412)), del(8, 9, ifMatch("*"), status(204)), put(10, 11, "Eve", ifMatch("*"), status(412)),
		}},
		"a lost answer that counted":         {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", open), get(4, 5, says(200, 2, "Bob"))}},
		"a lost answer that counted late":    {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", open), get(4, 5, says(200, 1, "Ann")), get(6, 7, says(200, 2, "Bob"))}},
		"a lost answer that never counted":   {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", open), put(4, 5, "Eve", says(200, 2, "Eve"))}},
		"a lost answer with its effect":      {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", open, effect(2)), get(4, 5, says(200, 2, "Bob"))}},
		"a lost deletion":                    {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), del(2, 3, open), put(4, 5, "Ann", says(201, 3, "Ann"))}},
		"twins":                              {history.Fine, []history.Call{put(0, 5, "Ann", key("k"), says(201, 1, "Ann")), put(1, 4, "Ann", key("k"), says(201, 1, "Ann")), put(6, 7, "Bob", says(200, 2, "Bob")), put(8, 9, "Ann", key("k"), says(201, 1, "Ann"))}},
		"another body under the key":         {history.Fine, []history.Call{put(0, 1, "Ann", key("k"), says(201, 1, "Ann")), put(2, 3, "Bob", key("k"), status(422))}},
		"a refusal is remembered":            {history.Fine, []history.Call{del(0, 1, key("k"), status(404)), put(2, 3, "Ann", says(201, 1, "Ann")), del(4, 5, key("k"), status(404))}},
		"a lost answer and its repetition":   {history.Fine, []history.Call{put(0, 1, "Ann", key("k"), open), put(2, 3, "Bob", says(200, 2, "Bob")), put(4, 5, "Ann", key("k"), says(201, 1, "Ann"))}},
		"told that nothing was stored":       {history.Fine, []history.Call{put(0, 1, "Ann", notStored), get(2, 3, status(404))}},
		"an old session read":                {history.Fine, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", says(200, 2, "Bob")), read(4, 5, says(200, 1, "Ann")), read(6, 7, status(404))}},
		"a repetition with a lost first one": {history.Fine, []history.Call{del(0, 1, key("k"), open), del(2, 3, key("k"), status(404))}},

		"a lost acknowledged write":                 {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", says(200, 2, "Bob")), get(4, 5, says(200, 1, "Ann"))}},
		"two writes became one version":             {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", says(200, 2, "Bob")), put(4, 5, "Eve", says(200, 2, "Eve"))}},
		"a stale no-op":                             {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", says(200, 2, "Bob")), put(4, 5, "Ann", says(200, 1, "Ann"))}},
		"a stale If-Match":                          {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", says(200, 2, "Bob")), put(4, 5, "Ann", ifMatch(tag(1)), says(200, 1, "Ann"))}},
		"a stale 404":                               {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), del(2, 3, status(404))}},
		"a stale refusal":                           {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", ifMatch(tag(1)), status(412))}},
		"twins with different answers":              {history.Broken, []history.Call{put(0, 5, "Ann", key("k"), ifNone, says(201, 1, "Ann")), put(1, 4, "Ann", key("k"), ifNone, status(412))}},
		"twins that both deleted":                   {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), del(2, 5, key("k"), status(204)), del(3, 4, key("k"), status(404))}},
		"twins with two changes":                    {history.Broken, []history.Call{put(0, 5, "Ann", key("k"), says(201, 1, "Ann")), put(6, 7, "Bob", says(200, 2, "Bob")), put(8, 9, "Ann", key("k"), says(200, 3, "Ann"))}},
		"a refused key that later succeeds":         {history.Broken, []history.Call{put(0, 1, "Ann", ifMatch("*"), key("k"), status(412)), put(2, 3, "Bob", says(201, 1, "Bob")), put(4, 5, "Ann", ifMatch("*"), key("k"), says(200, 2, "Ann"))}},
		"422 without another request":               {history.Broken, []history.Call{put(0, 1, "Ann", key("k"), status(422))}},
		"another body under the key, and done":      {history.Broken, []history.Call{put(0, 1, "Ann", key("k"), says(201, 1, "Ann")), put(2, 3, "Bob", key("k"), says(200, 2, "Bob"))}},
		"an effect before its call":                 {history.Broken, []history.Call{get(0, 1, says(200, 1, "Ann")), put(2, 3, "Ann", says(201, 1, "Ann"))}},
		"back to the past":                          {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 9, "Bob", open), get(3, 4, says(200, 2, "Bob")), get(5, 6, says(200, 1, "Ann"))}},
		"a lost answer that had no effect, and had": {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", open, effect(history.NoEffect)), get(4, 5, says(200, 2, "Bob"))}},
		"a lost answer with another effect":         {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), put(2, 3, "Bob", open, effect(3)), get(4, 5, says(200, 2, "Bob"))}},
		"not stored, and stored":                    {history.Broken, []history.Call{put(0, 1, "Ann", notStored, effect(1))}},
		"not stored, and shown":                     {history.Broken, []history.Call{put(0, 1, "Ann", notStored), read(2, 3, says(200, 1, "Ann"))}},
		"a session read of what nobody wrote":       {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), read(2, 3, says(200, 2, "Bob"))}},
		"a session read of the future":              {history.Broken, []history.Call{read(0, 1, says(200, 1, "Ann")), put(2, 3, "Ann", says(201, 1, "Ann"))}},
		"another incarnation": {history.Broken, []history.Call{put(0, 1, "Ann", says(201, 1, "Ann")), get(2, 3, says(200, 1, "Ann"), func(c *history.Call) {
			c.Answer.ETag = `"1-b2"`
		})}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := history.Check(c.calls, limit)
			require.Equal(t, c.want, v.Judgement, v.Reason)
			require.Equal(t, c.want == history.Broken, v.Reason != "", v.Reason)
		})
	}
}

// TestTimeEnds: what cannot be decided is said to be undecided, not fine.
func TestTimeEnds(t *testing.T) {
	t.Parallel()
	var calls []history.Call
	for i := range 24 {
		calls = append(calls, put(0, 1, fmt.Sprint("n", i), open))
	}
	calls = append(calls, get(2, 3, says(200, 24, "n0")), get(4, 5, says(200, 23, "n1")))
	require.Equal(t, history.Undecided, history.Check(calls, 50*time.Millisecond).Judgement)
}

// TestRepetitions: a client that repeats a request until it is answered makes no more work than
// there are repetitions, though nobody has seen what became of them.
func TestRepetitions(t *testing.T) {
	t.Parallel()
	var calls []history.Call
	for round := range 2 {
		name := fmt.Sprint("n", round)
		for i := range 16 {
			calls = append(calls, put(100*round+i, 100*round+i+1, name, open))
		}
		calls = append(calls, put(100*round+16, 100*round+17, name, says([]int{201, 200}[round], round+1, name)))
	}
	end := func(version int, name string) []history.Call {
		return append(slices.Clone(calls), get(200, 201, says(200, version, name)))
	}
	for want, all := range map[history.Judgement][]history.Call{
		history.Fine:   end(2, "n1"),
		history.Broken: end(1, "n0"),
	} {
		v := history.Check(all, limit)
		require.Equal(t, want, v.Judgement, v.Reason)
	}
	// One of the repetitions comes late.
	v := history.Check(append(end(2, "n1"), get(202, 203, says(200, 3, "n0")), get(204, 205, says(200, 4, "n1"))), limit)
	require.Equal(t, history.Fine, v.Judgement, v.Reason)
}

// server is the API without faults: what it answers is linearizable by construction.
type server struct {
	version int
	name    string // "" while there is nothing
}

func (s *server) do(c *history.Call, name string) {
	switch {
	case c.Method == http.MethodDelete && s.name == "":
		status(404)(c)
	case c.Method == http.MethodDelete:
		s.version, s.name = s.version+1, ""
		status(204)(c)
	case c.Method == http.MethodGet && s.name == "":
		status(404)(c)
	case c.Method == http.MethodGet, s.name == name:
		says(200, s.version, s.name)(c)
	default:
		as := 200
		if s.name == "" {
			as = 201
		}
		s.version, s.name = s.version+1, name
		says(as, s.version, s.name)(c)
	}
}

// play is a random history of overlapping calls, some without an answer. Nothing was ever
// deleted or written between the calls at the end, which all read.
func play(random *rand.Rand) []history.Call {
	var s server
	var calls []history.Call
	for i := range 40 {
		moment := 10 * i
		name := fmt.Sprint("n", random.IntN(4))
		c := put(moment-random.IntN(30), moment+random.IntN(30), name)
		switch random.IntN(6) {
		case 0:
			c = del(moment-random.IntN(30), moment+random.IntN(30))
		case 1:
			c = get(moment-random.IntN(30), moment+random.IntN(30))
		}
		if c.Outcome == history.Answered && random.IntN(8) > 0 || c.Method == http.MethodGet {
			s.do(&c, name)
		} else {
			c.Effect = history.NoEffect
			if before := s.version; random.IntN(2) == 0 {
				if s.do(&c, name); s.version != before {
					c.Effect = history.Effect(s.version)
				}
			}
			open(&c)
		}
		calls = append(calls, c)
	}
	last := put(500, 501, "last")
	s.do(&last, "last")
	end := get(510, 511)
	s.do(&end, "")
	return append(calls, last, end)
}

func TestRandomHistories(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		calls := play(rand.New(rand.NewPCG(seed, 0)))
		v := history.Check(calls, limit)
		require.Equal(t, history.Fine, v.Judgement, "seed %d: %s", seed, v.Reason)

		forgotten := slices.Clone(calls) // the last write is
		status(404)(&forgotten[len(calls)-1])
		require.Equal(t, history.Broken, history.Check(forgotten, limit).Judgement, "seed %d", seed)

		for i := range calls {
			calls[i].Effect = history.Unseen
		}
		v = history.Check(calls, limit)
		require.Equal(t, history.Fine, v.Judgement, "seed %d, without the effects: %s", seed, v.Reason)
	}
}

func TestClassify(t *testing.T) {
	t.Parallel()
	problem := func(name string) string { return `{"type":"urn:relaybox:problem:` + name + `"}` }
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for name, c := range map[string]struct {
		status int
		body   string
		err    error
		want   history.Outcome
	}{
		"created":                 {201, `{}`, nil, history.Answered},
		"deleted":                 {204, ``, nil, history.Answered},
		"missing":                 {404, problem("not-found"), nil, history.Answered},
		"refused":                 {412, problem("precondition-failed"), nil, history.Answered},
		"key reused":              {422, problem("idempotency-key-reused"), nil, history.Answered},
		"bad":                     {400, problem("malformed-json"), nil, history.NotStored},
		"twin in flight":          {409, problem("request-in-progress"), nil, history.NotStored},
		"throttled":               {429, problem("throttled"), nil, history.NotStored},
		"unavailable":             {503, problem("unavailable"), nil, history.NotStored},
		"in doubt":                {503, problem("outcome-unknown"), nil, history.Open},
		"the host's 500":          {500, ``, nil, history.Open},
		"the host's 503":          {503, ``, nil, history.Open},
		"no function":             {404, ``, nil, history.NotStored},
		"connection lost":         {0, ``, errors.New("EOF"), history.Open},
		"connection lost in body": {200, `{`, errors.New("EOF"), history.Open},
		"never connected":         {0, ``, fmt.Errorf("send: %w", dial), history.NotStored},
	} {
		got, _ := history.Classify(c.status, http.Header{}, []byte(c.body), c.err)
		require.Equal(t, c.want, got, name)
	}
}
