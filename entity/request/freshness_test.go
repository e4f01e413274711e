package request

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestFreshness(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  Freshness
	}{
		"nothing":              {nil, Freshness{}},
		"no-cache":             {[]string{"no-cache"}, Freshness{Current: true}},
		"any case":             {[]string{"No-Cache"}, Freshness{Current: true}},
		"max-age":              {[]string{"max-age=60"}, Freshness{MaxAge: time.Minute}},
		"any case, quoted":     {[]string{`MAX-AGE="60"`}, Freshness{MaxAge: time.Minute}},
		"in a list":            {[]string{"no-transform ,\tmax-age=60, min-fresh=5"}, Freshness{MaxAge: time.Minute}},
		"in another line":      {[]string{"no-transform", "max-age=60"}, Freshness{MaxAge: time.Minute}},
		"both":                 {[]string{"max-age=60, no-cache"}, Freshness{Current: true, MaxAge: time.Minute}},
		"none":                 {[]string{"max-age=0"}, Freshness{}},
		"the smaller of two":   {[]string{"max-age=60, max-age=5"}, Freshness{MaxAge: 5 * time.Second}},
		"none of two":          {[]string{"max-age=0, max-age=5"}, Freshness{}},
		"one that is none":     {[]string{"max-age=x, max-age=5"}, Freshness{MaxAge: 5 * time.Second}},
		"more than is counted": {[]string{"max-age=99999999999999999999"}, Freshness{MaxAge: maxAge}},
		"more than a Duration": {[]string{"max-age=9999999999999"}, Freshness{MaxAge: maxAge}},
		"no number":            {[]string{"max-age=soon"}, Freshness{}},
		"nothing behind it":    {[]string{"max-age, max-age="}, Freshness{}},
		"a quote":              {[]string{`max-age="`}, Freshness{}},
		"below nothing":        {[]string{"max-age=-1"}, Freshness{}},
		"a sign":               {[]string{"max-age=+1"}, Freshness{}},
		"a fraction":           {[]string{"max-age=1.5"}, Freshness{}},
		"another name":         {[]string{"s-max-age=60, no-cached"}, Freshness{}},
	} {
		require.Equal(t, c.want, FreshnessOf(http.Header{"Cache-Control": c.lines}), name)
	}
}
