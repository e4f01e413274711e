package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/handler/config"
)

// Entities is where the app stores its entities and their events, and how the person at the
// command line gets there.
type Entities struct {
	Connection cosmos.Connection
	Credential azcore.TokenCredential // nil: the connection has a key
	// Container is the one that kinds share; Own has those of kinds that do not, by kind.
	Database, Container string
	// Source and MaxEventBytes are the writer's.
	Source        string
	MaxEventBytes int
	Page          string // of the relaybox up whose settings they are; else ""
	Own           map[string]string
	// Views and OwnViews are the consumer's.
	Views    string
	OwnViews map[string]string
}

// Entities finds the settings as Run does, for verbs that work on what they name. Settings of
// other services may be wrong.
func (o Options) Entities() (Entities, error) {
	if o.Environment == nil {
		o.Environment = environment()
	}
	settings, err := o.read()
	if err != nil {
		return Entities{}, err
	}
	loaded, err := config.Load(settings.Values)
	for _, fault := range config.Faults(err) {
		name, _, _ := strings.Cut(fault.Error(), " ")
		switch name {
		case "COSMOS_CONNECTION", "COSMOS_DATABASE", "COSMOS_OUTBOX_CONTAINER", "COSMOS_KIND_CONTAINERS":
			return Entities{}, settings.lack(fault.Error())
		}
	}
	e := Entities{Connection: loaded.CosmosConnection(), Page: settings.page, Source: loaded.Outbox.Source, MaxEventBytes: loaded.Outbox.MaxEventBytes, Database: loaded.Cosmos.Database, Container: loaded.Cosmos.Outbox, Views: loaded.Cosmos.Inbox, Own: map[string]string{}, OwnViews: map[string]string{}}
	for kind, own := range loaded.OwnContainers() {
		e.Own[kind], e.OwnViews[kind] = own.Outbox, own.Inbox
	}
	if e.Connection.ConnectionString == "" {
		e.Credential = o.identities().of(e.Connection.ClientID)
	}
	return e, nil
}

// String names the containers.
func (e Entities) String() string {
	all := []string{e.Container}
	for _, name := range slices.Sorted(maps.Values(e.Own)) {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return fmt.Sprintf("%s/%s on %s", e.Database, strings.Join(all, " and "), e.Connection.Host())
}
