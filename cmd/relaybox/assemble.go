package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/relaybox/relaybox/local/stack"
)

func assembleCommand() *cobra.Command {
	var build stack.Build
	var out, archive string
	cmd := &cobra.Command{
		Use:   "assemble",
		Short: "Build the deployable app folder: host.json, handler, one folder per function",
		Long: `Builds the handler and writes the folder that a Functions host runs: relaybox up,
func start --script-root dist/app and the deployment all take exactly this one.
With --zip it also writes the package that Azure takes, with the modes that the host needs
whatever this machine's file system knows. The same source and Go toolchain give the same
bytes. For Azure build with --os linux --arch amd64.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			source, err := stack.FindSource(".")
			if err != nil {
				return fmt.Errorf("assemble needs the source code: %w; change into a clone of the repository", err)
			}
			build.Source = source
			if out == "" {
				out = filepath.Join(source, "dist", "app")
			}
			if err := stack.Assemble(cmd.Context(), build, out); err != nil {
				return fmt.Errorf("assemble: %w", err)
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), out); err != nil || archive == "" {
				return err
			}
			if err := stack.Archive(out, archive); err != nil {
				return fmt.Errorf("assemble: %w", err)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), archive)
			return err
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", "", "folder to write (default dist/app in the source tree)")
	cmd.Flags().StringVar(&archive, "zip", "", "also pack the folder into this deployment package, such as dist/app.zip")
	cmd.Flags().StringVar(&build.OS, "os", "", "target operating system as in GOOS (default this one's)")
	cmd.Flags().StringVar(&build.Arch, "arch", "", "target architecture as in GOARCH (default this one's)")
	return cmd
}
