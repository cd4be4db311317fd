package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/conf"
	"github.com/eci-runtime/eci/policy"
)

func newPolicyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "check, show and pin the policy",
		Args:  cobra.NoArgs,
	}
	cmd.AddCommand(newLintCommand(a), newShowCommand(a), newPinCommand(a))
	return cmd
}

func newShowCommand(a *app) *cobra.Command {
	var effective bool
	cmd := &cobra.Command{
		Use:   "show [FILE...]",
		Short: "print the policy",
		Long: `show prints the files of the configuration as they are; with --effective what they
come to, every key with its value, as one file that would mean the same.

With FILEs it reads these instead, in their order, over the defaults; "-" is standard
input. With --json it prints the effective policy.`,
		Example: `  eci policy show --effective
  eci policy show --effective --json | jq .mounts.restricted
  eci policy show --effective /etc/eci/config.toml ./20-new.toml`,
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := a.policyFiles(cmd, args)
			if err != nil {
				return err
			}
			if effective || a.json {
				return a.showEffective(files)
			}
			return a.showFiles(files)
		},
	}
	cmd.Flags().BoolVarP(&effective, "effective", "e", false, "what all files come to")
	return cmd
}

func (a *app) showEffective(files []conf.File) error {
	cfg, err := conf.Parse(files)
	if err != nil {
		return err
	}
	text := policy.Format(cfg)
	if !a.json {
		_, err = a.out.Write(text)
		return err
	}
	var v map[string]any
	if err := toml.Unmarshal(text, &v); err != nil {
		return err
	}
	return a.printJSON(v)
}

func (a *app) showFiles(files []conf.File) error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	if len(files) == 0 {
		i.printf("# There is no file: the defaults hold. --effective prints them.\n")
	}
	for n, f := range files {
		if n > 0 {
			i.printf("\n")
		}
		i.printf("%s\n%s", i.paint(bold, "# "+f.Path), f.Data)
	}
	return nil
}

// policyFiles are the files of the configuration, or those that were named.
func (a *app) policyFiles(cmd *cobra.Command, args []string) ([]conf.File, error) {
	if len(args) == 0 {
		return a.source().Files()
	}
	var files []conf.File
	for _, name := range args {
		f := conf.File{Path: name, Kind: conf.DropIn}
		if filepath.Base(name) == "images.lock" {
			f.Kind = conf.Pins
		}
		var err error
		if name == "-" {
			f.Path = "standard input"
			f.Data, err = io.ReadAll(cmd.InOrStdin())
		} else {
			f.Data, err = os.ReadFile(name)
		}
		if err != nil {
			return nil, fmt.Errorf("read a policy: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}
