package recent

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBets(t *testing.T) {
	t.Parallel()
	read := func(revision string) func(*Cache[string]) {
		return func(c *Cache[string]) { c.Read("k", revision, revision, 1) }
	}
	wrote := func(revision string) func(*Cache[string]) {
		return func(c *Cache[string]) { c.Wrote("k", revision, revision, 1) }
	}
	lost := func(c *Cache[string]) { c.Lost("k") }
	forget := func(c *Cache[string]) { c.Forget("k") }
	for name, row := range map[string]struct {
		did  []func(*Cache[string])
		want string // "" for no bet
	}{
		"nothing is known":                      {nil, ""},
		"read":                                  {[]func(*Cache[string]){read("1")}, "1"},
		"written":                               {[]func(*Cache[string]){read("1"), wrote("2")}, "2"},
		"nothing is stored":                     {[]func(*Cache[string]){read("")}, ""},
		"a bet was lost":                        {[]func(*Cache[string]){read("1"), lost}, ""},
		"and the next read does not help":       {[]func(*Cache[string]){read("1"), lost, read("2")}, ""},
		"but one that shows nothing new":        {[]func(*Cache[string]){read("1"), lost, read("2"), read("2")}, "2"},
		"of what was written":                   {[]func(*Cache[string]){read("1"), lost, wrote("2"), read("2")}, "2"},
		"a read that shows something new":       {[]func(*Cache[string]){wrote("1"), read("2")}, ""},
		"two bets were lost":                    {[]func(*Cache[string]){read("1"), lost, lost, read("2"), read("2"), read("2")}, ""},
		"two bets were lost, and nothing new":   {[]func(*Cache[string]){read("1"), lost, lost, read("2"), read("2"), read("2"), read("2")}, "2"},
		"an outcome that nobody knows":          {[]func(*Cache[string]){read("1"), forget}, ""},
		"after an unknown outcome, any read":    {[]func(*Cache[string]){read("1"), forget, read("2")}, "2"},
		"what was never there cannot be lost":   {[]func(*Cache[string]){lost, read("1")}, "1"},
		"what was never there can be forgotten": {[]func(*Cache[string]){forget, read("1")}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := New[string](1 << 20)
			for _, do := range row.did {
				do(c)
			}
			value, ok := c.Bet("k")
			require.Equal(t, row.want != "", ok)
			if ok {
				require.Equal(t, row.want, value)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	c := New[int](1 << 20)
	c.Lost("k")
	require.True(t, c.Missing("k"), "nothing was known that could be lost")
	c.Read("k", "", 0, 1)
	require.True(t, c.Missing("k"))
	c.Wrote("k", "1", 1, 1)
	require.False(t, c.Missing("k"))
	c.Lost("k")
	require.False(t, c.Missing("k"), "others write it")
	c.Read("k", "2", 1, 1)
	require.False(t, c.Missing("k"))
	c.Read("k", "", 0, 1)
	require.False(t, c.Missing("k"), "others write it, and have deleted it")
}

func TestDoubtIsBounded(t *testing.T) {
	t.Parallel()
	c := New[int](1 << 20)
	c.Wrote("k", "1", 1, 1)
	for range 100 {
		c.Lost("k")
	}
	c.Read("k", "2", 2, 1)
	for range maxDoubt {
		_, ok := c.Bet("k")
		require.False(t, ok)
		c.Read("k", "2", 2, 1)
	}
	value, ok := c.Bet("k")
	require.True(t, ok)
	require.Equal(t, 2, value)
}

func TestWeightIsBounded(t *testing.T) {
	t.Parallel()
	c := New[int](100 * (1000 + overhead))
	for i := range 1000 {
		c.Wrote(fmt.Sprint(i), "1", i, 1000)
		c.Read(fmt.Sprint(i), "1", i, 1000) // again: it weighs no more than once
		require.LessOrEqual(t, c.weight, c.limit)
	}
	require.Equal(t, 100, c.docs.Len())
	_, oldest := c.Bet("899")
	_, kept := c.Bet("900")
	require.False(t, oldest)
	require.True(t, kept)
	c.Bet("900") // used last
	c.Wrote("next", "1", 0, 1000)
	_, kept = c.Bet("900")
	require.True(t, kept)
	c.Wrote("900", "2", 0, c.limit/8)
	_, kept = c.Bet("900")
	require.False(t, kept, "too heavy, and what was kept is old")
	for i := range 1000 {
		c.Forget(fmt.Sprint(i))
	}
	require.Equal(t, c.docs.Len(), 99)
	require.Less(t, c.weight, 99*(1000+overhead))

	none := New[int](0)
	none.Wrote("k", "1", 1, 1)
	_, ok := none.Bet("k")
	require.False(t, ok)
	require.Zero(t, none.weight)
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := New[int](50 * (100 + overhead))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 500 {
				key := fmt.Sprint(i % 70)
				c.Bet(key)
				switch (g + i) % 4 {
				case 0:
					c.Wrote(key, fmt.Sprint(i), i, 100)
				case 1:
					c.Read(key, fmt.Sprint(i), i, 100)
				case 2:
					c.Lost(key)
				default:
					c.Forget(key)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, c.weight, c.limit)
}
