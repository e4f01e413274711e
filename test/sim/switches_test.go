package sim

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/mutants"
)

// huntEnv names the guarantee that a process looks for, in a binary with a rule turned off.
const huntEnv = "RELAYBOX_SIM_HUNT"

// aloneEnv names the one kind of faults that it looks with; "" for all, and tooLost for all
// with a container that is lost in each run.
const aloneEnv = "RELAYBOX_SIM_ALONE"

const tooLost = "all, and the container is lost"

// huntSeeds is how many seeds a rule that is turned off may hide from.
const huntSeeds = 400

// TestSwitches turns every rule off once: the simulation must see the guarantee broken that
// the rule keeps. A checker that cannot fail proves nothing.
func TestSwitches(t *testing.T) {
	if mine, _ := shard(); !*switches || mine != 0 {
		t.Skip("-switches turns rules off")
	}
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	wanted, err := regexp.Compile(*only)
	require.NoError(t, err)
	var table []string
	for _, m := range slices.Concat(mutants.Writer, mutants.Simulated, mutants.Reborn, mutants.Mixed, mutants.All) {
		if !wanted.MatchString(m.Name) || *only == "" && slices.Contains(lucky, m.Name) {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			kind := ""
			if slices.ContainsFunc(mutants.Reborn, func(r mutants.Mutant) bool { return r.Name == m.Name }) {
				kind = tooLost
			}
			seed := hunt(t, source, m, kind)
			table = append(table, fmt.Sprintf("%-62s %s  seed %s", m.Name, m.Breaks, seed))
			t.Log(table[len(table)-1])
			require.NotEmpty(t, seed, "%d seeds do not show that a rule is off", huntSeeds)
		})
	}
	t.Logf("%d rules turned off:\n%s", len(table), strings.Join(table, "\n"))
}

// lucky are rules that show only at moments which a few hundred seeds may not meet, so they
// are looked for when -switch names them. The exploration (test/explore), the chaos run or a
// test of their own package sees each.
var lucky = []string{
	"a read is taken for a fence", "a refusal of the repetition is believed", "a lost answer is taken for a refusal",
	"a refusal after a lost answer is believed by the adapter", "session tokens are dropped when a replica lags", "numbers do not come from the entity",
	"nobody finds what the fast path has left", "a lost answer of the broker is taken for an acknowledgement", "the sender goes on behind the first failure",
	"settling goes by the number",
	// All hundred deliveries of such an event have to go to an older instance.
	"an older version refuses events that it does not know",
}

var found = regexp.MustCompile(`found at seed (\d+)`)

// alone are kinds of faults that must show a rule to be off without any other.
var alone = map[string]struct {
	draw     func(r *rand.Rand, instances int) fault
	switched mutants.Mutant
}{
	"poison":                 {poison, named("a key goes on past its parked event")},
	"a process dies reading": {diesReading, named("the dispatcher settles before it sends")},
	"the store dies":         {storeDies, named("the store answers before its disk has it")},
	"the container is lost":  {containerLost, named("the consumer looks at numbers only")},
}

func named(name string) mutants.Mutant {
	all := slices.Concat(mutants.Simulated, mutants.Reborn, mutants.All)
	return all[slices.IndexFunc(all, func(m mutants.Mutant) bool { return m.Name == name })]
}

// TestSwitchesByOneFault: each kind of fault reaches what it is there for.
func TestSwitchesByOneFault(t *testing.T) {
	if mine, _ := shard(); !*switches || mine != 0 {
		t.Skip("-switches turns rules off")
	}
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	for kind, a := range alone {
		t.Run(kind, func(t *testing.T) {
			seed := hunt(t, source, a.switched, kind)
			require.NotEmpty(t, seed, "%d seeds of this fault alone do not show that a rule is off: %s", huntSeeds, a.switched.Name)
			t.Logf("%s: %s  seed %s", a.switched.Name, a.switched.Breaks, seed)
		})
	}
}

// hunt builds the simulation without a rule and returns the first seed that shows it, with
// faults of one kind only unless that is "".
func hunt(t *testing.T, source string, m mutants.Mutant, kind string) string {
	dir := t.TempDir()
	overlay, err := m.Overlay(source, dir)
	require.NoError(t, err)
	binary := filepath.Join(dir, "sim.test")
	require.NoError(t, build(binary, "-overlay", overlay))
	cmd := exec.CommandContext(t.Context(), binary, "-test.run", "^TestHunt$", "-test.v", "-seed", fmt.Sprint(*first), "-seeds", fmt.Sprint(huntSeeds))
	cmd.Env = append(os.Environ(), shardEnv+"=0/1", huntEnv+"="+string(m.Breaks), aloneEnv+"="+kind)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	if seed := found.FindSubmatch(said); seed != nil {
		return string(seed[1])
	}
	return ""
}

// TestHunt is the search, in a process of its own.
func TestHunt(t *testing.T) {
	guarantee := os.Getenv(huntEnv)
	if guarantee == "" {
		t.Skip("TestSwitches runs it with a rule turned off")
	}
	o := Options{App: appFolder, alone: alone[os.Getenv(aloneEnv)].draw}
	if os.Getenv(aloneEnv) == tooLost {
		o.too = containerLost
	}
	for n := range *seeds {
		seed := *first + uint64(n)
		o.Seed = seed
		for _, b := range bubble(t, o).Breaches {
			if b.Guarantee == guarantee {
				t.Logf("found at seed %d: %v", seed, b)
				return
			}
		}
	}
}
