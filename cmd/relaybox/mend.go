package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
)

// mending is what verbs have that change what lies somewhere.
type mending struct {
	verb, done     string // redrive, redriven
	author, reason string
	dryRun, yes    bool
}

// flags of such a verb; a choice's are its own.
func (m *mending) flags(cmd *cobra.Command, c *choice) {
	flags := cmd.Flags()
	flags.BoolVar(&c.all, "all", false, "all "+c.thing+"s")
	flags.BoolVar(&m.dryRun, "dry-run", false, "say what would be done, and do nothing")
	flags.StringVar(&m.author, "author", person(), "who does it, for the record")
	flags.StringVar(&m.reason, "reason", "", "why, for the record")
}

// asks gives the verb the flag of those that ask first.
func (m *mending) asks(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&m.yes, "yes", false, "do not ask")
}

// ask has the person agree to what cannot be undone.
func (m *mending) ask(cmd *cobra.Command, things, place string) error {
	nobody := usage("nobody is there to be asked whether %s may be %s for good: say --yes, or look first with --dry-run", things, m.done)
	if !terminal(cmd.InOrStdin()) {
		return nobody
	}
	_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s%s %s of %s for good? [y/N] ", strings.ToUpper(m.verb[:1]), m.verb[1:], things, place)
	answer, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	switch {
	case errors.Is(err, io.EOF) && answer == "": // /dev/null, say, which is a device, too
		return nobody
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("nothing was %s", m.done)
}

func terminal(r io.Reader) bool {
	file, ok := r.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// whereFlags say where the app is that an operator means.
func whereFlags(cmd *cobra.Command, where *doctor.Options) {
	flags := cmd.Flags()
	flags.StringVar(&where.Settings, "settings", "", "settings file (default: those of a relaybox up that runs, or else local.settings.json, or else the environment alone)")
	flags.StringVar(&where.Data, "data", "", "data folder of the relaybox up that is meant (default .relaybox in the source tree, or here)")
	flags.BoolVar(&where.ManagedIdentity, "managed-identity", false, "use the app's managed identity instead of yours")
}

// progress says now and then how far a long run is.
type progress struct {
	out         io.Writer
	total, done int // total 0: nobody knows
	last        time.Time
}

func (p *progress) step() {
	p.done++
	if time.Since(p.last) < 2*time.Second || p.done == p.total {
		return
	}
	p.last = time.Now()
	if p.total == 0 {
		_, _ = fmt.Fprintf(p.out, "%d so far\n", p.done)
		return
	}
	_, _ = fmt.Fprintf(p.out, "%d of %d\n", p.done, p.total)
}
