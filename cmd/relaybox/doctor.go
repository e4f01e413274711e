package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
)

func doctorCommand() *cobra.Command {
	var o doctor.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that settings, app folder and services give the protocol what it needs",
		Long: `Checks a set-up without changing anything: settings, the assembled app folder, the Functions
host's storage, Cosmos DB and Service Bus, wherever they are: stand-ins, emulators, Azure.
Prints a line per check, with the remedy for whatever is not fine.

Without --settings it checks what relaybox up runs with, if that runs on the data folder, or
else local.settings.json. For the app in Azure:

  az functionapp config appsettings list -g GROUP -n APP -o json > settings.json
  relaybox doctor --settings settings.json

An environment variable that is set goes over a file. Where the settings name an identity, doctor signs in
as you (az login), unless it runs where the app's own identity is: --managed-identity.

Exit status: 0 fine, 1 something is refused, 3 nothing is refused but something could not be
checked.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := above("timeout", o.Timeout); err != nil {
				return err
			}
			o.Home = home()
			report := doctor.Run(cmd.Context(), o)
			show := func(out io.Writer) error { return report.Print(out, coloured(out, os.Getenv)) }
			if asJSON {
				show = func(out io.Writer) error { return json.NewEncoder(out).Encode(report) }
			}
			if err := show(cmd.OutOrStdout()); err != nil {
				return fmt.Errorf("print the report: %w", err)
			}
			if status := report.ExitStatus(); status != 0 {
				return exitStatus(status)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Settings, "settings", "", "settings file (default: those of a relaybox up that runs, or else local.settings.json, or else the environment alone)")
	flags.StringVar(&o.Data, "data", "", "data folder of the relaybox up to check (default .relaybox in the source tree, or here)")
	flags.StringVar(&o.App, "app", "", "assembled app folder (default the one that relaybox up runs, or dist/app)")
	flags.StringVar(&o.BusAdmin, "bus-admin", "", "where a Service Bus emulator serves its administration interface (default that of relaybox up, or port 5300 of its host)")
	flags.BoolVar(&o.ManagedIdentity, "managed-identity", false, "use the app's managed identity instead of yours")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON")
	flags.DurationVar(&o.Timeout, "timeout", 30*time.Second, "bound for everything")
	return cmd
}
