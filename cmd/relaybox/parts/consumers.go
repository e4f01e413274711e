package parts

import (
	"fmt"

	"github.com/relaybox/relaybox/functions"
)

// OneConsumer turns off the consumers beside ConsumeEvent in settings: what is measured or counted
// is one consumer's work, as it was before there were others. An app that does not know them does
// not mind.
func OneConsumer(settings map[string]string) {
	all, err := functions.Consumers()
	if err != nil {
		panic(fmt.Errorf("an app with such consumers does not start: %w", err))
	}
	for _, c := range all {
		settings["AzureWebJobs."+c.Function+".Disabled"] = "true"
	}
}
