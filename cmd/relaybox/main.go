// Command relaybox is the developer's tool: it assembles the function app, runs it with
// everything around it on one machine, demonstrates what it promises, and checks a set-up.
//
// One file per verb.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // whoever interrupts a second time does not want to wait
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	os.Exit(exit(ctx, err, os.Stderr))
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if _, said := errors.AsType[usageError](err); err != nil && cmd == root && !said {
		// It has no work of its own that could fail: cobra does not know the verb.
		at := slices.IndexFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") })
		return unknownVerb(root, args[max(0, at):])
	}
	return err
}

// rootCommand has all verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "relaybox",
		Short: "A transactional outbox for Azure Functions, on one machine",
		Long: `Relaybox runs the function app and everything it needs on this machine: no account, no
Docker. Start with:

  relaybox demo         see the promise kept while the broker is cut and the app is killed
  relaybox chaos        break real processes for minutes, and account for every write
  relaybox bench        measure what an event takes, beside what cannot be beaten
  relaybox up           run the app until Ctrl-C and try it with curl
  relaybox doctor       check that a set-up, here or in Azure, keeps the promise
  relaybox events       see, put back or skip what the broker has refused
  relaybox deadletters  see, send again or drop what the consumer has refused
  relaybox replay       bring a subscriber up to date that comes late`,
		SilenceUsage:  true,
		SilenceErrors: true, // main prints the error, once
	}
	root.AddCommand(assembleCommand(), upCommand(), demoCommand(), chaosCommand(), benchCommand(), doctorCommand(), statusCommand(), eventsCommand(), pauseCommand(), resumeCommand(), replayCommand(), deadLettersCommand(), versionCommand())
	root.SetHelpCommand(helpCommand(root))
	root.InitDefaultCompletionCmd()
	for _, verb := range root.Commands() {
		if verb.Name() == "completion" {
			strict(verb)
		}
	}
	root.SetFlagErrorFunc(unknownFlag)
	root.DisableSuggestions = true // unknownVerb makes them, in one line
	root.Version = programVersion().Version
	root.SetVersionTemplate("relaybox {{.Version}}\n")
	return root
}
