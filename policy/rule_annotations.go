package policy

import (
	"fmt"
	"slices"
	"strings"
)

// checkAnnotations makes what annotations say part of the configuration, whether or not
// the caller has called [Tighten], and looks at those that are orders to runc.
func checkAnnotations(r *request, _ *Decision) *Violation {
	if r.spec == nil {
		return nil
	}
	cfg, v := tighten(r.cfg, r.spec.Annotations, r.all)
	if v != nil {
		return v
	}
	r.cfg = cfg
	first := ""
	for key := range r.spec.Annotations {
		if isOrder(key) && (first == "" || key < first) {
			first = key
		}
	}
	if first != "" {
		return denied(fmt.Sprintf("annotations[%q]", first), "runc takes this annotation for an order, and obeys as root of the host")
	}
	return nil
}

// systemdProperty begins the annotations that runc hands to systemd, as properties of
// the container's scope: they can stop and start other units, move processes of the
// host, and open devices again.
const systemdProperty = "org.systemd.property."

// harmlessProperties are about how the scope ends, and what it is called.
var harmlessProperties = []string{"CollectMode", "Description", "KillSignal", "TimeoutStopSec", "TimeoutStopUSec"}

// isOrder tells whether an annotation is one of those that runc obeys
// (potentiallyUnsafeConfigAnnotations of runc features, 1.5.2). CRIU's configuration
// may name programs.
func isOrder(key string) bool {
	if property, ok := strings.CutPrefix(key, systemdProperty); ok {
		return !slices.Contains(harmlessProperties, property)
	}
	return key == "bundle" || key == "org.criu.config"
}
