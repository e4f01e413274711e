package entity_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
)

// withInput is a kind with an action whose body an In is to hold.
func withInput[In any]() []entity.Definition {
	do := entity.Do(func(d Door, _ In) (Door, error) { return d, nil })
	return []entity.Definition{entity.Kind[Door, Count]{Name: "d", Actions: entity.Actions[Door]{"go": do}}}
}

func withDetail(detail any) []entity.Definition {
	return []entity.Definition{entity.Kind[Door, Count]{Name: "d", Events: map[string]any{"gone": detail}}}
}

// TestDetailsThatEncodingJSONWrites may be what no entity may.
func TestDetailsThatEncodingJSONWrites(t *testing.T) {
	t.Parallel()
	type node struct {
		Next   *node
		Kept   map[int]any
		At     map[time.Time]time.Time
		N      int    `json:",string"`
		Hidden func() `json:"-"`
		hidden chan int
	}
	for _, detail := range []any{nil, entity.None{}, node{hidden: nil}, &node{}, "word", 7, []node{}, map[int]string{}} {
		_, err := entity.NewKinds(withDetail(detail)...)
		require.NoError(t, err, "%T", detail)
	}
}
