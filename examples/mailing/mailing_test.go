package mailing_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/entity/entitytest"
	"github.com/relaybox/relaybox/examples/mailing"
	"github.com/relaybox/relaybox/profile"
)

// TestTheListFollowsTheAddress through all that may become of a profile.
func TestTheListFollowsTheAddress(t *testing.T) {
	t.Parallel()
	app := entitytest.Run(t, profile.Kind)
	list := app.Join(mailing.List)
	entry := func() (e mailing.Entry) {
		list.Model("ann", &e)
		return e
	}
	app.Do("PUT", "ann", `{"displayName":"Ann","email":"ann@example.com"}`, 201)
	first := entry()
	require.Equal(t, "ann@example.com", first.Address)
	require.False(t, first.Since.IsZero())
	app.Do("PATCH", "ann", `{"bio":"A new one"}`, 200, "Content-Type", "application/merge-patch+json")
	require.Equal(t, first, entry(), "no event of this one is heard")
	app.Do("PUT", "ann", `{"displayName":"Ann","email":"ann@example.org"}`, 200)
	require.Equal(t, "ann@example.org", entry().Address)
	app.Do("PUT", "ann", `{"displayName":"Ann"}`, 200)
	require.Empty(t, entry().Address)
	app.Do("DELETE", "ann", "", 204)
	require.Empty(t, entry().Address)
	app.Do("PUT", "ann", `{"displayName":"Ann","email":"ann@example.net"}`, 201)
	require.Equal(t, "ann@example.net", entry().Address)
	require.Equal(t, []string{
		entity.Created, entity.Updated, entity.Updated, profile.EmailChanged, entity.Updated, profile.EmailChanged, entity.Deleted, entity.Created,
	}, app.Events("ann"))
}

// TestTheThreeEventsAreEnough: whatever is written, the list says what the profile says.
func TestTheThreeEventsAreEnough(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		app := entitytest.Run(t, profile.Kind)
		list := app.Join(mailing.List)
		there, address := false, ""
		for range 30 {
			switch r.IntN(6) {
			case 0:
				app.Do("DELETE", "p", "", map[bool]int{true: 204, false: 404}[there])
				there, address = false, ""
			case 1:
				if there {
					app.Do("PATCH", "p", fmt.Sprintf(`{"bio":"%d"}`, r.IntN(3)), 200, "Content-Type", "application/merge-patch+json")
				}
			default:
				address = []string{"", "a@example.com", "b@example.com"}[r.IntN(3)]
				app.Do("PUT", "p", fmt.Sprintf(`{"displayName":"P%d","email":"%s"}`, r.IntN(2), address), map[bool]int{true: 200, false: 201}[there])
				there = true
			}
			var e mailing.Entry
			list.Model("p", &e)
			require.Equal(t, address, e.Address, "seed %d: %v", seed, app.Events("p"))
		}
	}
}
