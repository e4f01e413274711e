// Command relaybox is the developer's tool: it assembles the function app, runs it with
// everything around it on one machine, and demonstrates what it promises.
//
// One file per verb.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "relaybox:", err)
		os.Exit(1)
	}
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "relaybox",
		Short: "A transactional outbox for Azure Functions, on one machine",
		Long: `Relaybox runs the function app and everything it needs on this machine: no account, no
Docker. Start with:

  relaybox demo       see the promise kept while the broker is cut and the app is killed
  relaybox up         run the app until Ctrl-C and try it with curl`,
		SilenceUsage:  true,
		SilenceErrors: true, // main prints the error, once
	}
	root.AddCommand(assembleCommand(), upCommand(), demoCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	return root.ExecuteContext(ctx)
}
