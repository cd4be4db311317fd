package policy

// checkCacheClass keeps the classes of Intel's Resource Director Technology, which
// divide caches and memory bandwidth of the host, as the administrator has made them. A
// class of the container's own, and joining one, change nobody else's. runc writes what
// the spec says into whatever class has the name.
func checkCacheClass(r *request, _ *Decision) *Violation {
	rdt := r.spec.Linux.IntelRdt
	if rdt == nil || rdt.ClosID == "" {
		return nil
	}
	if len(rdt.Schemata) > 0 || rdt.L3CacheSchema != "" || rdt.MemBwSchema != "" {
		return denied("linux.intelRdt.closID", "the settings of the cache class %q would hold for all that are in it; name a class, or give settings, not both", rdt.ClosID)
	}
	return nil
}
