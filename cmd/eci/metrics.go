package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/eci-runtime/eci/internal/audit"
	"github.com/eci-runtime/eci/internal/host"
	"github.com/eci-runtime/eci/internal/metrics"
	"github.com/eci-runtime/eci/internal/setup"
	"github.com/eci-runtime/eci/internal/sysctl"
)

func newMetricsCommand(a *app) *cobra.Command {
	var textfile, listen string
	var public bool
	cmd := &cobra.Command{
		Use:   "metrics",
		Short: "print figures for Prometheus",
		Long: `metrics prints what there is to watch in Prometheus' text format: containers, ranges of
host IDs, decisions of the audit log by verdict and rule, claims on settings of the host,
and the shims that run. docs/operate.md explains each.

With --textfile it replaces a file, for the node exporter's textfile collector, by one
rename; call it by a timer. With --listen it serves /metrics until it is interrupted, on
the loopback interface unless --public allows others, for it asks nobody for a password.

What it tells is read from the state directory, from /proc and from the audit log; nothing
is counted while containers run.`,
		Example: `  eci metrics
  eci metrics --textfile /var/lib/node_exporter/textfile/eci.prom
  eci metrics --listen 127.0.0.1:9641`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case textfile != "" && listen != "":
				return errors.New("--textfile and --listen are one or the other")
			case listen != "":
				return a.serveMetrics(cmd.Context(), listen, public)
			}
			families, err := a.collect(cmd.Context())
			if err != nil {
				return err
			}
			if textfile == "" {
				return metrics.Write(a.out, families)
			}
			var b bytes.Buffer
			if err := metrics.Write(&b, families); err != nil {
				return err
			}
			return setup.Replace(textfile, b.Bytes())
		},
	}
	cmd.Flags().StringVar(&textfile, "textfile", "", "file to replace")
	cmd.Flags().StringVar(&listen, "listen", "", "address to serve at, such as 127.0.0.1:9641")
	cmd.Flags().BoolVar(&public, "public", false, "allow --listen an address that others reach")
	return cmd
}

func (a *app) serveMetrics(ctx context.Context, address string, public bool) error {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--listen %q is no address: %w", address, err)
	}
	if ip := net.ParseIP(name); name != "localhost" && (ip == nil || !ip.IsLoopback()) && !public {
		return fmt.Errorf("--listen %q can be reached by others: say --public as well", address)
	}
	return metrics.Serve(ctx, address, a.collect, func(at net.Addr) {
		fmt.Fprintf(a.out, "serving http://%s/metrics\n", at)
	})
}

// collect reads all figures, now.
func (a *app) collect(ctx context.Context) ([]metrics.Family, error) {
	cfg, err := a.source().Load()
	if err != nil {
		return nil, err
	}
	found, err := a.processes()
	if err != nil {
		return nil, err
	}
	pool := host.Pool(cfg)
	total, used, free, err := countRanges(pool)
	if err != nil {
		return nil, fmt.Errorf("list the claims: %w", err)
	}
	claims, err := sysctl.Claims{Dir: filepath.Join(cfg.StateDir, "sysctl")}.Count()
	if err != nil {
		return nil, fmt.Errorf("list the claims on settings: %w", err)
	}
	out := []metrics.Family{
		gauge("eci_build_info", "Always 1; the version of eci.", metrics.Sample{Labels: []string{"version", version}, Value: 1}),
		countContainers(found),
		gauge("eci_id_ranges", "Ranges of host IDs in the pool.", metrics.Sample{Value: float64(total)}),
		gauge("eci_id_ranges_used", "Ranges that containers have.", metrics.Sample{Value: float64(used)}),
		gauge("eci_id_ranges_free", "Ranges that are neither a container's nor a user's of the host.", metrics.Sample{Value: float64(free)}),
	}
	settings := gauge("eci_sysctl_claims", "Containers that have a setting of the host raised.")
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		settings.Samples = append(settings.Samples, metrics.Sample{Labels: []string{"setting", name}, Value: float64(claims[name])})
	}
	out = append(out, settings)
	out = append(out, countShims()...)
	return append(out, countDecisions(ctx, cfg.Audit.File)...), nil
}

func gauge(name, help string, samples ...metrics.Sample) metrics.Family {
	return metrics.Family{Name: name, Help: help, Type: "gauge", Samples: samples}
}

// count is a counted thing, by the values of its labels.
func samplesOf[K comparable](counts map[K]int, labels func(K) []string) []metrics.Sample {
	var out []metrics.Sample
	for key, n := range counts {
		out = append(out, metrics.Sample{Labels: labels(key), Value: float64(n)})
	}
	slices.SortFunc(out, func(a, b metrics.Sample) int { return slices.Compare(a.Labels, b.Labels) })
	return out
}

func countContainers(found []process) metrics.Family {
	type key struct{ namespace, mode string }
	counts := map[key]int{}
	for _, p := range found {
		name := map[mode]string{ownNamespace: "own", shared: "shared", plainPod: "host-network-owner", stopped: "stopped"}[p.Mode]
		counts[key{p.Namespace, name}]++
	}
	return gauge("eci_containers", "Containers that have a range of host IDs, by containerd's namespace and by how they are isolated.",
		samplesOf(counts, func(k key) []string { return []string{"namespace", k.namespace, "mode", k.mode} })...)
}

// countDecisions reads the audit log, what rotation has kept of it included.
func countDecisions(ctx context.Context, file string) []metrics.Family {
	decisions := metrics.Family{Name: "eci_decisions_total", Type: "counter", Help: "Lines of the audit log, by verdict, rule and action. Falls where log rotation drops some."}
	broken := metrics.Family{Name: "eci_audit_unreadable_lines_total", Type: "counter", Help: "Lines of the audit log that cannot be read."}
	if file == "" {
		return nil
	}
	type key struct{ verdict, rule, action string }
	counts := map[key]int{}
	n, err := readLogs(ctx, file, time.Time{}, false, func(_ []byte, l audit.Line) {
		counts[key{string(l.Verdict), l.Rule, string(l.Action)}]++
	})
	readable := gauge("eci_audit_readable", "1 if the audit log could be read.", metrics.Sample{Value: map[bool]float64{true: 1}[err == nil]})
	decisions.Samples = samplesOf(counts, func(k key) []string {
		return []string{"verdict", k.verdict, "rule", cmp.Or(k.rule, "none"), "action", k.action}
	})
	broken.Samples = []metrics.Sample{{Value: float64(n)}}
	return []metrics.Family{decisions, broken, readable}
}
