// Command relaybox is the developer's tool: it assembles the function app, runs it with
// everything around it on one machine, demonstrates what it promises, and checks a set-up.
//
// One file per verb.
package main

import (
	"context"
	"errors"
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
	os.Exit(exit(err, os.Stderr))
}

// exitStatus ends the program with a status of its own after everything has been said.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// exit says what went wrong, unless that was done, and returns the exit status.
func exit(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	_, _ = fmt.Fprintln(stderr, "relaybox:", err)
	return 1
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:   "relaybox",
		Short: "A transactional outbox for Azure Functions, on one machine",
		Long: `Relaybox runs the function app and everything it needs on this machine: no account, no
Docker. Start with:

  relaybox demo       see the promise kept while the broker is cut and the app is killed
  relaybox chaos      break real processes for minutes, and account for every write
  relaybox bench      measure what an event takes, beside what cannot be beaten
  relaybox up         run the app until Ctrl-C and try it with curl
  relaybox doctor     check that a set-up, here or in Azure, keeps the promise`,
		SilenceUsage:  true,
		SilenceErrors: true, // main prints the error, once
	}
	root.AddCommand(assembleCommand(), upCommand(), demoCommand(), chaosCommand(), benchCommand(), doctorCommand())
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	return root.ExecuteContext(ctx)
}
