package policy_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/eci-runtime/eci/policy"
)

// BenchmarkDecideAndRewrite takes a container with 60 volumes, each of which the host
// has by two names, the whole way, under 100 restricted paths beside those built in.
func BenchmarkDecideAndRewrite(b *testing.B) {
	cfg := policy.Default()
	for i := range 100 {
		cfg.Mounts.Rules = append(cfg.Mounts.Rules, policy.PathRule{Path: fmt.Sprintf("/srv/tenants/%d/secret", i), Access: policy.Restricted})
	}
	spec, facts := plain()
	spec.Mounts = append(spec.Mounts, mount("proc", "/proc"), mount("tmpfs", "/dev"), mount("sysfs", "/sys"), mount("tmpfs", "/run"))
	for i := range 60 {
		facts.Sources[len(spec.Mounts)] = source(policy.KindDir, fmt.Sprintf("/srv/tenants/%d/data/volume", i), fmt.Sprintf("/data/%d/volume", i))
		spec.Mounts = append(spec.Mounts, mount("bind", fmt.Sprintf("/run/volume-%d", i), "rbind", "ro"))
	}
	data, err := json.Marshal(spec)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		spec := new(specs.Spec)
		if err := json.Unmarshal(data, spec); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		d, err := policy.Check(cfg, facts, spec)
		if err != nil {
			b.Fatal(err)
		}
		places := policy.Place(d, spec.Mounts, nil)
		if err := policy.Rewrite(spec, d, places, grantFor(cfg, d, places), facts); err != nil {
			b.Fatal(err)
		}
	}
}
