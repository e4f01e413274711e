// Package tutorial_test does what docs/own-entity.md tells its reader to do, in a copy of
// the repository, and compares what is printed. Then it makes the mistakes that the page
// warns of, each in turn, and looks for the words that it promises.
package tutorial_test

import (
	"go/format"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

func TestOwnEntity(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(source, "docs", "own-entity.md"))
	require.NoError(t, err)
	page := string(text)
	all := blocks(page)
	checkCounts(t, page, all)

	for _, b := range all {
		if b.file() == "" || b.language == "diff" {
			continue
		}
		if _, err := os.Stat(filepath.Join(source, b.file())); err == nil {
			t.Skip("somebody has followed the page here:", b.file(), "is there")
		}
	}
	c := newClone(t, source)
	c.follow(all)
	if t.Failed() {
		return
	}
	// What the tree says about itself is true of a tree with one more kind, too.
	_, both, err := c.run("go test ./test/rules -skip 'Outside|Compat|Behaviours'")
	require.NoError(t, err, both)
	for _, m := range mistakes(page) {
		t.Run(m.name, func(t *testing.T) { c.fallFor(t, m) })
	}
	require.Len(t, mistakes(page), len(wrong), "the table and this test name the same mistakes")
}

// follow goes through the page in order.
func (c *clone) follow(all []block) {
	c.t.Helper()
	var up *job
	for i, b := range all {
		switch {
		case b.mark == "not-run":
		case b.language == "text": // belongs to the block before it
			require.True(c.t, i > 0 && all[i-1].language == "sh", "%s shows what nothing prints", b)
		case b.language == "diff" && b.file() != "":
			apply(c.t, c.dir, b)
		case b.file() != "":
			c.write(b.file(), b.text)
		case b.language == "sh" && b.mark == "background":
			require.Nil(c.t, up, "%s: one stack is enough", b)
			up = c.start(b.text)
			up.says("containers are there")
		case b.language == "sh" && b.mark == "":
			stdout, both, err := c.run(b.text)
			require.NoError(c.t, err, "%s\n%s\nprints\n%s", b, b.text, both)
			if i+1 < len(all) && all[i+1].language == "text" {
				shown := all[i+1]
				require.True(c.t, prints(shown.text, stdout), "%s\n%s\nprints\n%s\nand %s shows\n%s", b, b.text, both, shown, shown.text)
			}
		default:
			c.t.Fatalf("%s is of a kind that nobody runs: mark it not-run if that is meant", b)
		}
	}
	if up != nil {
		up.stop()
	}
	for _, b := range all {
		if name := b.file(); strings.HasSuffix(name, ".go") {
			formatted, err := format.Source([]byte(c.read(name)))
			require.NoError(c.t, err)
			require.Equal(c.t, string(formatted), c.read(name), "%s is not formatted by gofmt", name)
		}
	}
}

// wrong makes a mistake, by the name that the page gives it. The mistakes that are made at
// the command line are none in the code.
var wrong = map[string]edit{
	"the kind is not in `kinds`":                              {file: app, old: "\tbooking.Kind,\n"},
	"the folder has no line in `handlers`":                    {file: app, old: "\t\t\"Bookings\":         made(bookingsfunction.New(e)),\n", new: "\t\t// \"Bookings\"\n"},
	"the line has no function.json":                           {file: definition},
	"the name is taken":                                       {file: code, old: `"booking",`, new: `"order",`},
	"the name is not allowed":                                 {file: code, old: `"booking",`, new: `"Booking",`},
	"a member is called `id`, `version` or `updatedAt`":       {file: code, old: `json:"room"`, new: `json:"id"`},
	"the route is taken":                                      {file: definition, old: `bookings/{id:`, new: `Orders/{booking:`},
	"the route has no `{action?}`":                            {file: definition, old: `/{action:regex(^[a-z][a-z0-9-]{{0,31}}$)?}`},
	"`methods` lacks `post`":                                  {file: definition, old: `, "post"]`, new: `]`},
	"the trigger is not the first binding":                    {file: definition, old: `"bindings": [`, new: `"bindings": [{"name": "out", "type": "http", "direction": "out"},`},
	"an action's input is no struct":                          {file: code, old: `entity.Do(cancel)`, new: `entity.Do(func(b Booking, _ string) (Booking, error) { return b, nil })`},
	"an event is not declared":                                {file: code, old: `"moved": Move{}, `},
	"an event's detail is of another type than `Events` says": {file: code, old: `"moved": Move{}, `, new: `"moved": nil, `},
	"function.json needs a setting that is not set":           {file: timer, old: "%DISPATCH_SCHEDULE%", new: "%CLEANUP_SCHEDULE%"},
	"a setting is empty":                                      {},
	"a kind is misspelt in the settings":                      {},
}

const (
	app        = "functions/functions.go"
	code       = "booking/booking.go"
	definition = "functions/Bookings/function.json"
	timer      = "functions/OutboxDispatcher/function.json"
)

// edit replaces old by new in a file, or removes the file if there is no old.
type edit struct{ file, old, new string }

// fallFor makes one mistake in the clone, and mends it.
func (c *clone) fallFor(t *testing.T, m mistake) {
	e, ok := wrong[m.name]
	require.True(t, ok, "nobody makes this mistake here")
	if e.file != "" {
		right := c.read(e.file)
		defer c.write(e.file, right)
		if e.old == "" {
			require.NoError(t, os.Remove(filepath.Join(c.dir, e.file)))
		} else {
			require.Contains(t, right, e.old)
			c.write(e.file, strings.Replace(right, e.old, e.new, 1))
		}
		if e.file == app {
			c.write(app, dropUnused(c.read(app)))
		}
	}
	said := c.failure(t, m.command)
	require.Regexp(t, strings.ReplaceAll(regexp.QuoteMeta(m.says), "…", ".*"), said)
}

// dropUnused removes the imports that an edit has left without use, as an editor does.
func dropUnused(text string) string {
	for _, name := range []string{"booking.", "bookingsfunction."} {
		if !strings.Contains(text, name) {
			line := regexp.MustCompile(`(?m)^\t.*"github.com/relaybox/relaybox/` + map[string]string{"booking.": "booking", "bookingsfunction.": "functions/Bookings"}[name] + `"\n`)
			text = line.ReplaceAllString(text, "")
		}
	}
	return text
}

// failure is what a command says that has to fail. A stack that cannot work ends by itself.
func (c *clone) failure(t *testing.T, command string) string {
	t.Helper()
	_, both, err := c.run(strings.Replace(command, "relaybox up", "relaybox up --fresh", 1))
	require.Error(t, err, "%s", both)
	return both
}
