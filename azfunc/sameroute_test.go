package azfunc_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

func TestSameRoute(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"orders/{id}", "Orders/{name:regex(^[a-z/]{{1,9}}$)}", true},
		{"orders/{id}", "orders/{id}/{action?}", true},
		{"orders/{id}", "orders/{id}/{action}", false},
		{"orders/{id}/{action?}", "orders", false},
		{"orders/{id}", "orders/all", false},
		{"orders/{id}", "profiles/{id}", false},
		{"orders//{id}", "orders//{id}", false},
	} {
		require.Equal(t, c.want, azfunc.SameRoute(c.a, c.b), "%s and %s", c.a, c.b)
		require.Equal(t, c.want, azfunc.SameRoute(c.b, c.a), "%s and %s", c.b, c.a)
	}
}
