package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/azure/servicebus/admin"
	"github.com/relaybox/relaybox/azure/storage"
	"github.com/relaybox/relaybox/handler/config"
)

// Settings that function.json refers to and the handler does not read.
const (
	subscriptionSetting = "EVENTS_SUBSCRIPTION"
	scheduleSetting     = "DISPATCH_SCHEDULE"
	storageSetting      = "AzureWebJobsStorage"
)

// CheckSettings holds settings against what the handler, the functions and the host read.
func CheckSettings(s Settings) []Finding {
	var list []Finding
	c, err := config.Load(s.Values)
	faults := unjoin(err)
	for _, fault := range faults {
		list = append(list, ofFault(fault))
	}
	for _, name := range []string{subscriptionSetting, scheduleSetting} {
		if s.Values[name] == "" && !(name == subscriptionSetting && c.EventBroker() == config.JetStreamBroker) {
			list = append(list, finding(Refused, name, "is not set: a function.json refers to it", "set it as local.settings.json.example does"))
		}
	}
	if len(list) == 0 {
		list = append(list, ok("application settings", "complete; %d set, the others have defaults", known(s.Values)))
	}
	list = append(list, checkNames(s)...)
	list = append(list, checkSecrets(s)...)
	if s.Azure {
		return append(list, checkAzure(s)...)
	}
	if worker := s.Values["FUNCTIONS_WORKER_RUNTIME"]; worker != "custom" {
		list = append(list, finding(Warning, "FUNCTIONS_WORKER_RUNTIME", fmt.Sprintf("is %q: func start refuses a custom handler without it", worker), "set it to custom"))
	}
	return list
}

// unjoin takes an errors.Join apart.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if all, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // the outermost one, on purpose
		return all.Unwrap()
	}
	return []error{err}
}

// ofFault turns "NAME is wrong; do this" or "NAME is wrong: do this" into a finding.
func ofFault(err error) Finding {
	name, rest, _ := strings.Cut(err.Error(), " ")
	found, remedy, ok := strings.Cut(rest, "; ")
	if !ok {
		found, remedy, ok = strings.Cut(rest, ": ")
	}
	if !ok {
		remedy = "set it as local.settings.json.example does"
	}
	return finding(Refused, name, found, remedy)
}

// known counts the settings that the handler reads and somebody has set.
func known(values map[string]string) int {
	n := 0
	for _, name := range config.Names() {
		if values[name] != "" {
			n++
		}
	}
	return n
}

// checkNames finds slips of the pen in the file: names that look like ours and that nobody
// reads. The environment may hold such names for other tools.
func checkNames(s Settings) []Finding {
	var list []Finding
	for _, name := range slices.Sorted(maps.Keys(s.File)) {
		if strings.HasPrefix(name, "RELAYBOX_") && !slices.Contains(config.Names(), name) {
			list = append(list, finding(Warning, name, "nothing reads it", "correct its name or remove it"))
		}
	}
	return list
}

// checkSecrets finds keys of Azure's services where an identity would do.
func checkSecrets(s Settings) []Finding {
	var list []Finding
	secret := func(is bool, name, section string) {
		if is {
			list = append(list, finding(Warning, name, "holds a key of a service in Azure", fmt.Sprintf("use the app's identity: set %s instead, as infra/bicep does", section)))
		}
	}
	account := cosmos.Connection{ConnectionString: s.Values["COSMOS_CONNECTION"]}
	secret(account.ConnectionString != "" && account.Validate() == nil && !account.Emulator(), "COSMOS_CONNECTION", "COSMOS_CONNECTION__accountEndpoint")
	bus := servicebus.Connection{ConnectionString: s.Values["SERVICEBUS_CONNECTION"]}
	secret(bus.ConnectionString != "" && bus.Validate() == nil && !admin.Emulator(bus), "SERVICEBUS_CONNECTION", "SERVICEBUS_CONNECTION__fullyQualifiedNamespace")
	secret(storage.ConnectionOf(s.Values, storageSetting).Secret(), storageSetting, storageSetting+"__accountName")
	return list
}

// notOnFlex must not be set on a Flex Consumption plan (reference §7): the platform refuses
// some, and others fight with it.
var notOnFlex = []string{
	"FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_WORKER_RUNTIME_VERSION", "FUNCTIONS_EXTENSION_VERSION", "WEBSITE_RUN_FROM_PACKAGE",
	"WEBSITE_CONTENTAZUREFILECONNECTIONSTRING", "WEBSITE_CONTENTSHARE", "WEBSITE_CONTENTOVERVNET", "SCM_DO_BUILD_DURING_DEPLOYMENT", "ENABLE_ORYX_BUILD",
	"FUNCTIONS_WORKER_PROCESS_COUNT", "FUNCTIONS_MAX_HTTP_CONCURRENCY", "WEBSITE_MAX_DYNAMIC_APPLICATION_SCALE_OUT", "WEBSITE_VNET_ROUTE_ALL", "WEBSITE_TIME_ZONE", "TZ",
}

// checkAzure is about settings of an app in Azure.
func checkAzure(s Settings) []Finding {
	var list []Finding
	for _, name := range notOnFlex {
		if _, set := s.File[name]; set {
			list = append(list, finding(Refused, name, "must not be set on Flex Consumption", "remove it; the plan's own functionAppConfig says what it said"))
		}
	}
	if s.File["APPLICATIONINSIGHTS_CONNECTION_STRING"] == "" {
		list = append(list, finding(Warning, "APPLICATIONINSIGHTS_CONNECTION_STRING", "is not set: nobody sees logs, and no alert fires", "set it, as infra/bicep does"))
	}
	if names := s.overridden(); len(names) > 0 {
		list = append(list, finding(Warning, "environment", "replaces "+strings.Join(names, ", ")+" of the file", "unset them to check what the app in Azure has"))
	}
	return list
}
