package timer

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The real parser's answers: testdata/ncrontab.json.
func TestCronVectors(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/ncrontab.json")
	require.NoError(t, err)
	var file struct {
		Cases []struct {
			Expr  string
			Valid bool
			Next  map[string][]string
		}
	}
	require.NoError(t, json.Unmarshal(raw, &file))
	require.NotEmpty(t, file.Cases)
	for _, c := range file.Cases {
		t.Run(c.Expr, func(t *testing.T) {
			t.Parallel()
			s, err := parseCron(c.Expr)
			require.Equal(t, c.Valid, err == nil, "%v", err)
			for base, want := range c.Next {
				at, err := time.Parse(time.RFC3339Nano, base)
				require.NoError(t, err)
				for _, w := range want {
					at = s.Next(at)
					if w == "never before 2100" {
						require.True(t, at.IsZero() || at.Year() >= 2100, at)
						break
					}
					require.Equal(t, w, at.Format(time.RFC3339), "after %s", base)
				}
			}
		})
	}
}

// What the vectors do not show, derived from the same rules.
func TestCronEdges(t *testing.T) {
	t.Parallel()
	base := time.Date(2026, 11, 23, 20, 16, 37, 0, time.UTC)
	for expr, want := range map[string]string{
		"*/-5 * * * * *":         "2026-11-23T20:16:38Z", // a step below one is one
		"*/+5 * * * * *":         "2026-11-23T20:16:40Z",
		"007 * * * * *":          "2026-11-23T20:17:07Z",
		"50-40/5 * * * * *":      "2026-11-23T20:16:40Z",
		"59/5 * * * * *":         "2026-11-23T20:16:59Z",
		"0 0 0 * j,f,mar *":      "2027-01-01T00:00:00Z",
		"0 0 0 30 2 *":           "0001-01-01T00:00:00Z", // never
		"0 0 0 31 4-6/2 *":       "0001-01-01T00:00:00Z", // April and June
		"0 0 0 29 2 SUN":         "2032-02-29T00:00:00Z",
		"59 59 23 31 December *": "2026-12-31T23:59:59Z",
	} {
		s, err := parseCron(expr)
		require.NoError(t, err, expr)
		require.Equal(t, want, s.Next(base).Format(time.RFC3339), expr)
	}
	for _, expr := range []string{"*/x * * * * *", "*/ * * * * *", "99999999999 * * * * *", "1e1 * * * * *", "* * * * * Sundays", "* * * * * * *", "0 0 0 1 0 *", "@daily"} {
		_, err := parseCron(expr)
		require.Error(t, err, expr)
	}
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"00:00:05": 5 * time.Second, "01:30": 90 * time.Minute, "1": 24 * time.Hour, "1.02:00:00": 26 * time.Hour,
		"24:00:00": 24 * 24 * time.Hour, "00:00:00.25": 250 * time.Millisecond, "2:00:00:01": 48*time.Hour + time.Second, "-00:00:01": -time.Second,
	} {
		d, err := ParseTimeSpan(text)
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
	for _, text := range []string{"", "x", "00:60:00", "1:2:3:4:5", "00:00:00.12345678", "::", "1.x:00:00"} {
		d, err := ParseTimeSpan(text)
		require.True(t, err != nil || d == 0, text)
	}
	for text, sub := range map[string]bool{
		"*/10 * * * * *": true, "0,30 * * * * *": true, "0 * * * * *": false, "* * * * *": false,
		"*/10 0 * * * *": false, "00:00:30": true, "00:01:00": false,
	} {
		s, err := Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, sub, s.SubMinute(), text)
	}
	for _, text := range []string{"", "every minute", "60 * * * * *", "00:00:00", "-00:00:05"} {
		_, err := Parse(text)
		require.Error(t, err, text)
	}
}
