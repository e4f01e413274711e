package hostile_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/test/contract"
	"github.com/relaybox/relaybox/test/hostile"
)

// newApp is an app whose answers are checked against its description.
func newApp(t *testing.T, between func(entity.Writer) entity.Writer) *hostile.App {
	t.Helper()
	a := hostile.NewApp(t, between)
	a.Contract, a.Event = contract.Answer, contract.Event
	return a
}

// liar stores what it says it has not, or says that it has stored what it has not.
type liar struct {
	entity.Writer
	stores bool
}

func (l liar) Write(ctx context.Context, r outbox.Request) (outbox.Answer, error) {
	if l.stores {
		_, err := l.Writer.Write(ctx, r)
		return outbox.Answer{}, errors.Join(err, outbox.ErrContended)
	}
	return outbox.Answer{Status: http.StatusOK, ETag: `"2-x"`, Body: []byte(`{"id":"p-1","displayName":"Ada","version":2,"updatedAt":"2026-01-01T00:00:00Z"}`)}, nil
}

// TestTheCheckCanFail: one that cannot proves nothing.
func TestTheCheckCanFail(t *testing.T) {
	t.Parallel()
	for says, stores := range map[string]bool{"answered 503 and stored": true, "acknowledged and not stored": false} {
		a := newApp(t, func(w entity.Writer) entity.Writer { return liar{w, stores} })
		before := a.Facts()
		c := hostile.Case{Method: http.MethodPut, Target: "/api/profiles/p-1", Body: `{"displayName":"Ada"}`, HasBody: true}
		require.ErrorContains(t, a.Honest(before, c.Method, a.Send(c.Bytes("localhost", ""))), says)
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	cases := hostile.Requests()
	require.GreaterOrEqual(t, len(cases), 300)
	for _, c := range cases {
		for _, state := range []string{"absent", "exists"} {
			t.Run(c.Name+", "+state, func(t *testing.T) {
				t.Parallel()
				a := newApp(t, nil)
				if state == "exists" {
					a.Seed()
				}
				raw := c.Bytes("localhost", a.ETag(c.Target))
				before := a.Facts()
				w := a.Send(raw)
				want := c.Want(state)
				require.NoError(t, want.Check(w.Code, w.Header(), bytes.NewReader(w.Body.Bytes())))
				if want.Status >= 400 && c.Method != http.MethodHead && w.Body.Len() > 0 {
					require.NotEmpty(t, hostile.Problem(w.Header(), w.Body.Bytes()), "a refusal names what is wrong: %s", w.Body)
				}
				require.NoError(t, a.Honest(before, c.Method, w))
			})
		}
	}
}

func TestInvocations(t *testing.T) {
	t.Parallel()
	for _, c := range hostile.Invocations() {
		for _, state := range []string{"absent", "exists"} {
			t.Run(c.Name+", "+state, func(t *testing.T) {
				t.Parallel()
				a := newApp(t, nil)
				if state == "exists" {
					a.Seed()
				}
				before := a.Facts()
				w := a.Send(c.Bytes("localhost", ""))
				require.NoError(t, c.CheckInvocation(state, w.Code, w.Body.Bytes()))
				if w.Code != http.StatusOK {
					require.Equal(t, before, a.Facts())
				}
			})
		}
	}
}
