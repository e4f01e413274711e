package sql

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is one of Microsoft's published queries with what the service answers.
type sample struct {
	Name, Query        string
	Documents, Results []json.RawMessage
}

// samplesNotHeld lists those that cannot be held against an answer.
var samplesNotHeld = map[string]string{
	"count-items":    "it has no result",
	"vectordistance": "it is no query: an alias stands in ORDER BY, and it has neither seed nor a vector",
}

// samplesOfNow answer with the time or with chance: names and types are compared.
var samplesOfNow = []string{"getcurrentdatetime", "getcurrentdatetimestatic", "getcurrentticks", "getcurrentticksstatic", "getcurrenttimestamp", "getcurrenttimestampstatic", "rand"}

// sampleSeeds replaces seeds that do not make their own result.
var sampleSeeds = map[string]string{
	"documentid":        `{"id":"5741047452","_rid":"36ZyAPW+uN8NAAAAAAAAAA=="}`,
	"documentid-filter": `{"id":"5720559175","_rid":"36ZyAPW+uN8NAAAAAAAAAA=="}`,
}

// sampleBorrows are samples without a seed, with the one whose seed makes their result.
var sampleBorrows = map[string]string{"order-by-multiple": "order-by"}

// sampleTolerance is for results that are computed in another way; elsewhere a few last
// digits of a double may differ.
var sampleTolerance = map[string]float64{"st-distance": 1e-7, "st-area": 1e-9, "tan": 2e-15}

func readSamples(t testing.TB) []sample {
	text, err := os.ReadFile("testdata/cosmos-samples.json")
	require.NoError(t, err)
	var file struct{ Cases []sample }
	require.NoError(t, json.Unmarshal(text, &file))
	return file.Cases
}

// TestSamples runs Microsoft's query samples; docs/compat.md has the count.
func TestSamples(t *testing.T) {
	t.Parallel()
	samples := readSamples(t)
	passed := 0
	for _, s := range samples {
		if _, ok := samplesNotHeld[s.Name]; ok {
			continue
		}
		docs := parseAll(t, s.Documents)
		if seed := sampleSeeds[s.Name]; seed != "" {
			docs = []Value{value(t, seed)}
		}
		if lender := sampleBorrows[s.Name]; lender != "" {
			docs = parseAll(t, samples[slices.IndexFunc(samples, func(s sample) bool { return s.Name == lender })].Documents)
		}
		q, err := Parse(s.Query)
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
			continue
		}
		got, err := drain(t, q, nil, docs, wholePage)
		require.NoError(t, err, s.Name)
		want := parseAll(t, s.Results)
		if !strings.Contains(s.Query, "ORDER BY") {
			slices.SortFunc(got, Compare)
			slices.SortFunc(want, Compare)
		}
		tolerance := max(sampleTolerance[s.Name], 4e-16)
		if slices.Contains(samplesOfNow, s.Name) {
			tolerance = math.Inf(1)
		}
		if !alike(ArrayOf(want), ArrayOf(got), tolerance) {
			t.Errorf("%s:\nwant %s\ngot  %s", s.Name, ArrayOf(want), ArrayOf(got))
			continue
		}
		passed++
	}
	text, err := os.ReadFile("../../../docs/compat.md")
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("%d of %d query samples", passed, len(samples)))
	require.Contains(t, string(text), fmt.Sprintf("%d answer with the time or with chance and are compared by type only, %d have another seed than theirs, which does not make their result, and %d has none",
		len(samplesOfNow), len(sampleSeeds), len(sampleBorrows)))
}

// alike tells whether numbers differ by no more than a share of themselves; by an infinite
// one, only types are compared.
func alike(want, got Value, tolerance float64) bool {
	if want.kind != got.kind || len(want.items) != len(got.items) {
		return false
	}
	switch want.kind {
	case Number:
		return math.Abs(want.num-got.num) <= tolerance*math.Abs(want.num)
	case Array:
		for i := range want.items {
			if !alike(want.items[i], got.items[i], tolerance) {
				return false
			}
		}
		return true
	case Object:
		for i, name := range want.names {
			if !alike(want.items[i], got.Get(name), tolerance) {
				return false
			}
		}
		return true
	}
	return math.IsInf(tolerance, 1) || Equal(want, got)
}
