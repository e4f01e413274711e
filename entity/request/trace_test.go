package request

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

func TestTrace(t *testing.T) {
	t.Parallel()
	const id, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	none := strings.Repeat("0", 32)
	const good = "00-" + id + "-" + parent + "-01"
	entries := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("a%d=1", i))
		}
		return strings.Join(all, ",")
	}
	value := strings.Repeat("1", 250)
	longest := "a=" + value + ",b=" + value + ",c="
	longest += strings.Repeat("1", maxTraceState-len(longest))
	for name, c := range map[string]struct {
		parent, state []string
		want          outbox.Trace // empty: a new trace
	}{
		"good":               {[]string{good}, []string{"a=1, t@sys=x y"}, outbox.Trace{Parent: good, State: "a=1,t@sys=x y"}},
		"not sampled":        {[]string{"00-" + id + "-" + parent + "-00"}, nil, outbox.Trace{Parent: "00-" + id + "-" + parent + "-00"}},
		"state in two lines": {[]string{good}, []string{"a=1", "b=2"}, outbox.Trace{Parent: good, State: "a=1,b=2"}},
		"later version":      {[]string{"cc-" + id + "-" + parent + "-01-what"}, nil, outbox.Trace{Parent: good}},
		"malformed state":    {[]string{good}, []string{"a=1,=2"}, outbox.Trace{Parent: good}},
		"state names twice":  {[]string{good}, []string{"a=1,a=2"}, outbox.Trace{Parent: good}},
		"empty entries":      {[]string{good}, []string{"a=1,, ,b=2"}, outbox.Trace{Parent: good, State: "a=1,b=2"}},
		"most entries":       {[]string{good}, []string{entries(32)}, outbox.Trace{Parent: good, State: entries(32)}},
		"too many entries":   {[]string{good}, []string{entries(33)}, outbox.Trace{Parent: good}},
		"longest state":      {[]string{good}, []string{longest}, outbox.Trace{Parent: good, State: longest}},
		"state too long":     {[]string{good}, []string{longest + "1"}, outbox.Trace{Parent: good}},
		"none":               {nil, []string{"a=1"}, outbox.Trace{}},
		"two":                {[]string{good, good}, nil, outbox.Trace{}},
		"two, joined":        {[]string{good + ", " + good}, nil, outbox.Trace{}},
		"upper case":         {[]string{strings.ToUpper(good)}, nil, outbox.Trace{}},
		"version ff":         {[]string{"ff" + good[2:]}, nil, outbox.Trace{}},
		"more in version 00": {[]string{good + "-00"}, nil, outbox.Trace{}},
		"no trace id":        {[]string{"00-" + none + "-" + parent + "-01"}, nil, outbox.Trace{}},
		"no parent id":       {[]string{"00-" + id + "-" + strings.Repeat("0", 16) + "-01"}, nil, outbox.Trace{}},
		"short":              {[]string{good[:54]}, []string{"a=1"}, outbox.Trace{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Trace(map[string][]string{"Traceparent": c.parent, "Tracestate": c.state})
			if c.want.Parent != "" {
				require.Equal(t, c.want, got)
				return
			}
			parsed, ok := parseTraceParent(got.Parent)
			require.True(t, ok)
			require.Equal(t, got.Parent, parsed)
			require.NotContains(t, got.Parent, id)
			require.NotContains(t, got.Parent, none)
			require.Empty(t, got.State)
		})
	}
}
