package demo

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// against runs one write of a client against a scripted API and returns what became of
// it and what the client wrote down.
func against(t *testing.T, w write, api http.HandlerFunc) (outcome, []attempt) {
	t.Helper()
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	c := &client{http: server.Client(), base: server.URL + "/api/", journal: newJournal(), rng: rand.New(rand.NewPCG(1, 1))}
	done := c.do(t.Context(), w)
	return done, c.journal.attempts[w.key()]
}

func aPut() write {
	return write{kind: profiles, id: "k", want: intent{mark: "w", verb: put, body: []byte(`{"displayName":"w"}`)}, instead: intent{mark: "w-instead", verb: put, body: []byte(`{"displayName":"i"}`)}}
}

func TestClientRepeatsWhatGotNoAnswer(t *testing.T) {
	t.Parallel()
	tries := 0
	done, attempts := against(t, aPut(), func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries == 1 {
			panic(http.ErrAbortHandler)
		}
		if tries == 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("ETag", `"7"`)
		w.WriteHeader(http.StatusCreated)
	})
	require.Equal(t, acknowledged, done)
	require.Len(t, attempts, 3)
	require.Equal(t, []outcome{unknown, unknown, acknowledged}, []outcome{attempts[0].outcome, attempts[1].outcome, attempts[2].outcome})
	require.EqualValues(t, 7, attempts[2].version)
}

func TestClientReadsAgainAfter412(t *testing.T) {
	t.Parallel()
	version := 1
	w := aPut()
	w.conditional = true
	done, attempts := against(t, w, func(w http.ResponseWriter, r *http.Request) {
		tags := map[int]string{1: `"1"`, 2: `"2"`, 3: `"3"`}
		w.Header().Set("ETag", tags[version])
		switch {
		case r.Method == http.MethodGet:
			_, _ = w.Write([]byte(`{"displayName":"there"}`))
			if version == 1 {
				version = 2 // somebody else is faster
			}
		case r.Header.Get("If-Match") != tags[version]:
			w.WriteHeader(http.StatusPreconditionFailed)
		default:
			w.Header().Set("ETag", `"3"`)
		}
	})
	require.Equal(t, acknowledged, done)
	require.Len(t, attempts, 2)
	require.Equal(t, refused, attempts[0].outcome)
	require.EqualValues(t, 1, attempts[0].ifMatch)
	require.EqualValues(t, 2, attempts[1].ifMatch)
}

func TestClientPutsWhereThereIsNothingToDelete(t *testing.T) {
	t.Parallel()
	w := aPut()
	w.want = intent{mark: "w", verb: remove}
	w.idempotencyKey = "key"
	done, attempts := against(t, w, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	require.Equal(t, acknowledged, done)
	require.Equal(t, "w-instead", attempts[1].intent.mark)
	require.Equal(t, "key-instead", attempts[1].idempotencyKey, "another request under the same key would be refused")
}

func TestTwinsAreTwoRequests(t *testing.T) {
	t.Parallel()
	w := aPut()
	w.twin, w.idempotencyKey = true, "key"
	done, attempts := against(t, w, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("ETag", `"1"`) })
	require.Equal(t, acknowledged, done)
	require.Len(t, attempts, 2)
}

func TestClientDoesNotRepeatWhatIsRefused(t *testing.T) {
	t.Parallel()
	done, attempts := against(t, aPut(), func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusUnprocessableEntity) })
	require.Equal(t, refused, done)
	require.Len(t, attempts, 1)
	require.NotEmpty(t, checkAnswers("k", attempts), "the check must hear of it")
}

func TestClientIsContentWithAWrongState(t *testing.T) {
	t.Parallel()
	w := write{kind: orders, id: "k", want: intent{mark: "w", verb: act, action: "ship", body: []byte(`{"carrier":"w"}`)}}
	done, attempts := against(t, w, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.URL.Path != "/api/orders/k/ship" || r.Header.Get("Content-Type") != "application/json" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(`{"type":"urn:relaybox:problem:wrong-state","detail":"It is shipped."}`))
	})
	require.Equal(t, declined, done)
	require.Len(t, attempts, 1)
	require.Equal(t, "It is shipped.", attempts[0].answer)
}

func TestClientWaitsForItsTwin(t *testing.T) {
	t.Parallel()
	tries := 0
	done, attempts := against(t, aPut(), func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries == 1 {
			w.WriteHeader(http.StatusConflict)
			_, _ = w.Write([]byte(`{"type":"urn:relaybox:problem:request-in-progress"}`))
			return
		}
		w.Header().Set("ETag", `"1"`)
	})
	require.Equal(t, acknowledged, done)
	require.Len(t, attempts, 2)
}

func TestNeverSentIsNotUnknown(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := http.Get(server.URL)
	require.Error(t, err)
	require.Equal(t, refused, lostCall(err))
}
