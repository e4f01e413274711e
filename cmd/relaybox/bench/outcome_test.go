package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOnTopic(t *testing.T) {
	t.Parallel()
	writes := map[string]acknowledged{"a": {writes: 3}, "b": {writes: 1, refused: 1}}
	good := []message{{"a", 1}, {"b", 1}, {"a", 2}, {"a", 3}}
	for name, c := range map[string]struct {
		messages []message
		want     Outcome
	}{
		"good":                           {good, Outcome{}},
		"a refused write was stored":     {append(good, message{"b", 2}), Outcome{}},
		"nobody asked for it":            {append(good, message{"a", 4}), Outcome{Duplicate: 1}},
		"nobody knows the key":           {append(good, message{"c", 1}), Outcome{Duplicate: 1}},
		"a copy":                         {append(good, message{"a", 2}), Outcome{Duplicate: 1}},
		"the last is missing":            {good[:3], Outcome{Lost: 1}},
		"one in the middle is missing":   {[]message{{"a", 1}, {"a", 3}, {"b", 1}}, Outcome{Lost: 1, Disordered: 1}},
		"two are the other way round":    {[]message{{"a", 1}, {"a", 3}, {"a", 2}, {"b", 1}}, Outcome{Disordered: 2}},
		"keys do not order one another":  {[]message{{"b", 1}, {"a", 1}, {"a", 2}, {"a", 3}}, Outcome{}},
		"nothing came":                   {nil, Outcome{Lost: 4}},
		"the first of a key is no first": {[]message{{"b", 2}, {"a", 1}, {"a", 2}, {"a", 3}}, Outcome{Disordered: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, onTopic(writes, c.messages))
		})
	}
}

func TestDropped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		numbers []int64
		before  int
		want    Known
	}{
		"nothing came":              {nil, 0, Known{}},
		"less than there should be": {[]int64{1}, 2, Known{}},
		"the bus does not tell":     {[]int64{0, 0}, 0, Known{}},
		"each once":                 {[]int64{1, 2, 3}, 0, known(0)},
		"two in between":            {[]int64{1, 3, 5}, 0, known(2)},
		"the first one's copy":      {[]int64{2, 3}, 0, known(1)},
		"the warm-up's":             {[]int64{1, 4, 5}, 2, known(0)},
		"behind the warm-up":        {[]int64{1, 4, 6}, 2, known(1)},
		"only the warm-up":          {[]int64{1, 4}, 2, known(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, dropped(c.numbers, c.before))
		})
	}
}

func TestInViews(t *testing.T) {
	t.Parallel()
	writes := map[string]acknowledged{"a": {writes: 3}, "b": {writes: 1, refused: 1}}
	for name, c := range map[string]struct {
		models map[string]model
		want   Outcome
	}{
		"good":                       {map[string]model{"a": {3, 3}, "b": {1, 1}}, Outcome{}},
		"a refused write was stored": {map[string]model{"a": {3, 3}, "b": {2, 2}}, Outcome{}},
		"the last is missing":        {map[string]model{"a": {2, 2}, "b": {1, 1}}, Outcome{Lost: 1}},
		"one was passed over":        {map[string]model{"a": {3, 2}, "b": {1, 1}}, Outcome{Lost: 1}},
		"one was applied twice":      {map[string]model{"a": {3, 4}, "b": {1, 1}}, Outcome{Duplicate: 2}}, // nobody asked for it, either
		"a model is missing":         {map[string]model{"a": {3, 3}}, Outcome{Lost: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, inViews(writes, c.models))
		})
	}
}

// TestEffectsTook: the effect of an event is the first model that is at its number or above.
func TestEffectsTook(t *testing.T) {
	t.Parallel()
	began := time.Now()
	e := &effects{seen: map[string][]sighting{}}
	model := func(seq string) []byte { return []byte(`{"pk":"profile:a","kind":"model","lastSeq":` + seq + `}`) }
	receipt := []byte(`{"pk":"profile:a","kind":"receipt"}`)
	require.NoError(t, e.note([][]byte{receipt, model("1")}, began.Add(time.Second)))
	require.NoError(t, e.note([][]byte{model("3")}, began.Add(3*time.Second)))
	require.ElementsMatch(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, e.took(map[message]time.Time{
		{"a", 1}: began, {"a", 2}: began.Add(time.Second), {"a", 3}: began, {"a", 4}: began, {"b", 1}: began,
	}))
	require.Error(t, e.note([][]byte{[]byte("none")}, began))
}
