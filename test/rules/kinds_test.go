package rules_test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
)

// knowKinds are the rooms that may name a kind, beside the kinds' own: their functions with
// the wiring, and the clients of the API: the demo, the chaos, the benchmark, the simulation and the hostile ones.
var knowKinds = []string{"functions", "cmd/relaybox/demo", "cmd/relaybox/chaos", "cmd/relaybox/bench", "test/hostile", "test/sim"}

// ofKinds are the folders in which a kind is made, or a consumer that hears some: whoever adds one
// adds its room.
func ofKinds(t *testing.T) []string {
	t.Helper()
	var rooms []string
	everySource(t, func(file string, text []byte) {
		if regexp.MustCompile(`(?m)^var \w+ = entity\.(Kind\[|Consumer\{)`).Match(text) {
			rooms = append(rooms, path.Dir(file))
		}
	})
	require.Contains(t, rooms, "profile")
	return rooms
}

// words are kinds whose names are words of other trades, too: only a spelling that nothing
// but a machine reads is taken for the kind.
var words = []string{"order"}

// TestOnlyAKindsOwnRoomsNameIt: another kind needs no change anywhere else. Comments may take
// one for an example.
func TestOnlyAKindsOwnRoomsNameIt(t *testing.T) {
	t.Parallel()
	known, err := functions.Kinds()
	require.NoError(t, err)
	rooms := append(ofKinds(t), knowKinds...)
	everySource(t, func(file string, text []byte) {
		if slices.ContainsFunc(rooms, func(room string) bool { return below(file, room) }) {
			return
		}
		eachToken(text, func(line int, literal string) {
			for _, kind := range known.Names() {
				if spells(literal, kind) {
					t.Errorf("%s:%d: %s names the kind %s: say what is true of every kind, or move what is about this one beside its entity.Kind", file, line, literal, kind)
				}
			}
		})
	})
}

func TestSpells(t *testing.T) {
	t.Parallel()
	for literal, want := range map[string]bool{
		`"a profile of one"`: true, `"relaybox.profile.created"`: true, "ProfileView": true, "newProfile": true, "profiles": true,
		"profiled": false, `"configurationProfile"`: false,
	} {
		require.Equal(t, want, spells(literal, "profile"), literal)
	}
	for literal, want := range map[string]bool{
		`"order"`: true, `"/api/orders/7"`: true, `"order:7"`: true, `"like \"order\""`: true,
		"order": false, "orderBy": false, `"kept in order"`: false, `"SELECT * FROM c ORDER BY c.a"`: false,
	} {
		require.Equal(t, want, spells(literal, "order"), literal)
	}
}

var humps = regexp.MustCompile(`[A-Z]?[a-z0-9]+`)

// spells says whether an identifier or a text has a kind's name, or its plural, as a word.
func spells(literal, kind string) bool {
	name := regexp.QuoteMeta(kind) + "s?"
	text := strings.HasPrefix(literal, `"`) || strings.HasPrefix(literal, "`")
	switch {
	case slices.Contains(words, kind):
		return text && regexp.MustCompile("[\"`/.:]"+name+"[\"`/.:\\\\]").MatchString(literal)
	case text:
		return regexp.MustCompile(`(?i)\b` + name + `\b`).MatchString(literal)
	}
	return slices.ContainsFunc(humps.FindAllString(literal, -1), func(word string) bool {
		return strings.TrimSuffix(strings.ToLower(word), "s") == kind
	})
}

// everySource calls f with the Go files that are not tests, by their path in the tree.
func everySource(t *testing.T, f func(file string, text []byte)) {
	t.Helper()
	dir := root(t)
	require.NoError(t, filepath.WalkDir(dir, func(source string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && source != dir && (strings.HasPrefix(name, ".") || name == "dist" || name == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(dir, source)
		f(filepath.ToSlash(file), text)
		return err
	}))
}

// eachToken calls f with every identifier and every text of a Go file, comments left out.
func eachToken(text []byte, f func(line int, literal string)) {
	var s scanner.Scanner
	files := token.NewFileSet()
	file := files.AddFile("", -1, len(text))
	s.Init(file, text, nil, 0)
	for {
		at, kind, literal := s.Scan()
		switch kind {
		case token.EOF:
			return
		case token.IDENT, token.STRING:
			f(file.Line(at), literal)
		}
	}
}
