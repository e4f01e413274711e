package doctor

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/probe"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
)

const cosmosRole = "Cosmos DB Built-in Data Reader (or Contributor) on the account"

// checkCosmos asks the account and holds what it says against the rules.
func checkCosmos(ctx context.Context, c config.Config, who identities, transport http.RoundTripper) Group {
	conn := c.CosmosConnection()
	g := Group{Name: "Cosmos DB"}
	if conn.Validate() != nil {
		g.Findings = []Finding{notAsked("account", "COSMOS_CONNECTION")}
		return g
	}
	g.Name = fmt.Sprintf("Cosmos DB %s%s", conn.Host(), emulatorNote(conn.Emulator()))
	opts := cosmos.Options{Transport: transport}
	if conn.ConnectionString == "" {
		opts.Credential = who.of(conn.ClientID)
	}
	sight := cosmos.Inspect(ctx, conn, opts, c.Cosmos.Database, names(uses(c))...)
	g.Findings = append(g.Findings, CheckAccess(Access{
		Subject: "account", Place: conn.Host(), Key: conn.ConnectionString != "", Err: sight.Err, Fine: "answers and lets us in",
		Start: "start the stand-ins with relaybox up, or the emulators with make func-start", Role: cosmosRole,
	}))
	if sight.ClockKnown {
		g.Findings = append(g.Findings, CheckClock(sight.Ahead))
	}
	if sight.Err != nil {
		g.Findings = append(g.Findings, finding(Unknown, "containers", "not read, because the account could not be", "mend that first, then run doctor again"))
		return g
	}
	g.Findings = append(g.Findings, CheckRegions(sight.WriteRegions, sight.MultipleWrites, sight.Consistency))
	g.Findings = append(g.Findings, checkDatabase(c, conn, sight)...)
	return g
}

// CheckRegions wants one region that takes writes: a batch is not atomic across two.
func CheckRegions(write []string, multiple bool, consistency string) Finding {
	found := strings.Join(write, ", ")
	return unless(!multiple && len(write) <= 1, fmt.Sprintf("%s; %s consistency", found, consistency),
		finding(Refused, "write region", found+": an entity and its event may be decided in different regions, and one of them lost",
			"turn enableMultipleWriteLocations off"))
}

// use is what a container is there for.
type use struct {
	role  Role
	name  string
	kinds []string // those that have it for their own; none for the two that the others share
	of    string   // the further consumer that it belongs to
}

// uses are the containers that the settings name, each role of each once: the shared ones
// first, then those of kinds that have their own, then those of further consumers.
func uses(c config.Config) []use {
	all := []use{{role: Outbox, name: c.Cosmos.Outbox}, {role: Inbox, name: c.Cosmos.Inbox}}
	shared := len(all)
	own := c.OwnContainers()
	for _, kind := range slices.Sorted(maps.Keys(own)) {
		for _, u := range []use{{role: Outbox, name: own[kind].Outbox, kinds: []string{kind}}, {role: Inbox, name: own[kind].Inbox, kinds: []string{kind}}} {
			at := slices.IndexFunc(all, func(known use) bool { return known.role == u.role && known.name == u.name })
			switch {
			case at < 0:
				all = append(all, u)
			case at >= shared:
				all[at].kinds = append(all[at].kinds, kind)
			}
		}
	}
	further, _ := functions.Consumers() // the app says what is wrong with them when it starts
	for _, f := range further {
		if c.InUse(f.Function, f.Subscription) {
			all = append(all, use{role: Inbox, name: c.ConsumerContainer(f.Name), of: f.Name})
		}
	}
	return all
}

// names are the containers, each once.
func names(all []use) []string {
	var list []string
	for _, u := range all {
		if !slices.Contains(list, u.name) {
			list = append(list, u.name)
		}
	}
	return list
}

// String is how findings call the container.
func (u use) String() string {
	if u.of != "" {
		return fmt.Sprintf("%s (of consumer %s)", u.name, u.of)
	}
	if len(u.kinds) == 0 {
		return u.name
	}
	return fmt.Sprintf("%s (of kind %s)", u.name, strings.Join(u.kinds, ", "))
}

// checkDatabase is about the database and its containers.
func checkDatabase(c config.Config, conn cosmos.Connection, sight cosmos.Sight) []Finding {
	missing := func(subject, what string) Finding {
		if conn.Emulator() {
			return finding(Warning, subject, "there is no such "+what+" yet", "the app makes it at its first start; run doctor again then")
		}
		return finding(Refused, subject, "there is no such "+what, "deploy infra/bicep, or correct the setting that names it")
	}
	access := func(subject string, err error) Finding {
		return CheckAccess(Access{Subject: subject, Place: conn.Host(), Key: conn.ConnectionString != "", Err: err, Role: cosmosRole})
	}
	var list []Finding
	if err := sight.DatabaseErr; err != nil && probe.Of(err) == probe.Missing {
		return append(list, missing("database "+c.Cosmos.Database, "database"))
	} else if err == nil {
		list = append(list, ok("database "+c.Cosmos.Database, "is there"))
	}
	list = append(list, checkKinds(c)...)
	for _, u := range uses(c) {
		seen := sight.Containers[u.name]
		switch {
		case seen.Err == nil:
			list = append(list, CheckContainer(u.role, u.String(), seen.ContainerProperties)...)
		case probe.Of(seen.Err) == probe.Missing:
			list = append(list, missing("container "+u.String(), "container"))
		default:
			list = append(list, access("container "+u.String(), seen.Err))
		}
	}
	return list
}

// checkKinds looks for misspelt kinds. An app that imports the library has kinds of its own,
// so a stranger is no refusal.
func checkKinds(c config.Config) []Finding {
	known, err := functions.Kinds()
	if err != nil {
		return nil // the app says so itself when it starts
	}
	var list []Finding
	for _, kind := range slices.Sorted(maps.Keys(c.OwnContainers())) {
		if !slices.Contains(known.Names(), kind) {
			list = append(list, finding(Warning, "COSMOS_KIND_CONTAINERS", fmt.Sprintf("names the kind %q, which this source does not have", kind),
				"write one of "+strings.Join(known.Names(), ", ")+", unless the app has kinds of its own: it does not start with one that it does not know"))
		}
	}
	return list
}

// notAsked is about a service whose connection cannot be used.
func notAsked(subject, setting string) Finding {
	return finding(Unknown, subject, "not asked: "+setting+" cannot be used", "mend the setting first, then run doctor again")
}

func emulatorNote(emulator bool) string {
	if emulator {
		return " (emulator)"
	}
	return ""
}
