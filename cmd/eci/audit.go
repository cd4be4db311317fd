package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/policy"
)

// auditFlags are those of eci audit.
type auditFlags struct {
	file, since, container, rule string
	denied, follow               bool
}

func newAuditCommand(a *app) *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "read the log of decisions",
		Long: `audit prints what the runtime has decided: the file that audit.file names, and what
log rotation has made of it beside it (audit.log.1, audit.log-20240102.gz).

A verdict is "allowed", "granted" by an exception of the policy, "warned" by a rule in
the mode warn, or "denied". With --json it prints the lines as they are, one object a
line. Lines that cannot be read are counted at the end.

What is in systemd's journal, journalctl shows: journalctl -t eci ECI_VERDICT=denied`,
		Example: `  eci audit --since 1h --denied
  eci audit --container web-1 --rule engine-socket
  eci audit --follow --json | jq -r .reason`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.audit(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "the log (default: audit.file of the configuration)")
	flags.StringVar(&f.since, "since", "", "how far back: a duration (90m, 24h) or a time (2024-01-02T15:04:05Z)")
	flags.BoolVar(&f.denied, "denied", false, "refusals only")
	flags.StringVar(&f.container, "container", "", "id of a container, or the beginning of one")
	flags.StringVar(&f.rule, "rule", "", "name of a rule")
	flags.BoolVarP(&f.follow, "follow", "f", false, "wait for further lines")
	_ = cmd.RegisterFlagCompletionFunc("rule", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return policy.Rules(), cobra.ShellCompDirectiveNoFileComp
	})
	return cmd
}

func (a *app) audit(ctx context.Context, f auditFlags) error {
	i, err := a.ink()
	if err != nil {
		return err
	}
	since, err := parseSince(f.since, time.Now())
	if err != nil {
		return err
	}
	if f.rule != "" && f.rule != "runtime-options" && !slices.Contains(policy.Rules(), f.rule) {
		return fmt.Errorf("there is no rule %q; there are %s", f.rule, strings.Join(policy.Rules(), ", "))
	}
	if f.file == "" {
		cfg, err := a.source().Load()
		if err != nil {
			return err
		}
		if f.file = cfg.Audit.File; f.file == "" {
			return fmt.Errorf("the configuration writes no log: set audit.file, or name one with --file")
		}
	}
	wanted := func(l audit.Line) bool {
		return !l.Time.Before(since) &&
			(!f.denied || l.Verdict == policy.Denied || l.Verdict == policy.Failed) &&
			(a.namespace == "" || l.Namespace == a.namespace) &&
			strings.HasPrefix(l.Container, f.container) &&
			(f.rule == "" || l.Rule == f.rule)
	}
	show := func(raw []byte, l audit.Line) {
		switch {
		case !a.json:
			showLine(i, l)
		case json.Valid(raw):
			i.printf("%s\n", raw)
		default: // it began within another
			text, _ := json.Marshal(l)
			i.printf("%s\n", text)
		}
	}
	broken, err := readLogs(ctx, f.file, since, f.follow, func(raw []byte, l audit.Line) {
		if wanted(l) {
			show(raw, l)
		}
	})
	if err == nil && broken > 0 {
		fmt.Fprintf(a.err, "eci: %d lines could not be read\n", broken)
	}
	return err
}

// parseSince reads a duration before now, or a time; empty is the beginning.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since %q is neither a duration, such as 90m or 24h, nor a time, such as 2024-01-02T15:04:05Z", s)
}

// verdictStyles are how verdicts look.
var verdictStyles = map[policy.Verdict]string{policy.Allowed: green, policy.Granted: blue, policy.Warned: yellow, policy.Denied: red, policy.Failed: red}

// showLine prints a decision: a line with what happened, and one with the reason.
func showLine(i ink, l audit.Line) {
	what := string(l.Action)
	if l.Exec != "" {
		what += " " + printable(l.Exec)
	}
	i.printf("%s  %s%*s  %s  %s\n",
		i.paint(faint, l.Time.Local().Format("2006-01-02 15:04:05")),
		i.paint(verdictStyles[l.Verdict], string(l.Verdict)), 7-width(string(l.Verdict)), "",
		i.paint(bold, printable(l.Namespace+"/"+shorten(l.Container))), what)
	if l.Reason != "" {
		text := printable(l.Reason) + " (rule " + printable(l.Rule)
		if l.Field != "" {
			text += ", field " + printable(l.Field)
		}
		i.para(21, "", "", text+")")
	}
}
