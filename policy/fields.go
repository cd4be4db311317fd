package policy

// Field says what becomes of fields of a spec.
type Field struct {
	// In is the section that they stand in, by the names of JSON: "process.user".
	// "[]" stands for the elements of a list, "{}" for those of a map. Empty is the
	// spec itself.
	In string

	// Names are the fields. What runs on other systems has one name for a section.
	Names []string

	// Rules name the rules that look at them.
	Rules []string

	// Step is the step of [Rewrite] that writes them anew for runc; empty means that
	// runc gets them as they are.
	Step string

	// Note says more, and of what no rule looks at, why it is harmless.
	Note string
}

// Fields are all fields of the OCI runtime specification 1.3. docs/spec-fields.md shows
// them; a test compares them with the Go type, so that whoever moves to a newer one has
// to decide about what is new.
func Fields() []Field {
	var out []Field
	for _, section := range [][]Field{commonFields, processFields, mountFields, hookFields, linuxFields, resourceFields, otherFields} {
		out = append(out, section...)
	}
	return out
}

// Steps names the steps of [Rewrite], in order.
func Steps() []string {
	names := make([]string, len(steps))
	for i, s := range steps {
		names[i] = s.name
	}
	return names
}

func list(names ...string) []string { return names }

var commonFields = []Field{
	{Names: list("ociVersion"), Note: "runc refuses versions that it does not know"},
	{Names: list("hostname", "domainname"), Note: "of the container's UTS namespace; the host's cannot be shared"},
	{Names: list("annotations"), Rules: list(ruleAnnotation), Note: "those that tighten the policy, and those that runc obeys; all others are words to runc"},
	{In: "root", Names: list("path"), Rules: list("structure", "volume-source", "rootfs"), Step: "root.path", Note: "runc gets the staged root file system"},
	{In: "root", Names: list("readonly"), Note: "takes rights away only"},
}

var processFields = []Field{
	{In: "process", Names: list("terminal"), Note: "the terminal is one of the container's own devpts"},
	{In: "process.consoleSize", Names: list("height", "width"), Note: "how large that terminal is"},
	{In: "process.user", Names: list("uid", "gid", "additionalGids"), Rules: list(ruleUserIDs), Note: "IDs of the container"},
	{In: "process.user", Names: list("umask"), Note: "a process may set it itself"},
	{In: "process.user", Names: list("username"), Note: "ignored by runc; for Windows"},
	{In: "process", Names: list("args", "cwd"), Rules: list(ruleProcess)},
	{In: "process", Names: list("commandLine"), Note: "ignored by runc; for Windows"},
	{In: "process", Names: list("env"), Note: "for programs of the container; hooks on the host do not get it, see hooks.createContainer"},
	{In: "process.capabilities", Names: list("bounding", "effective", "inheritable", "permitted", "ambient"), Note: "count in the container's user namespace only, and for what it owns"},
	{In: "process.rlimits[]", Names: list("type", "hard", "soft"), Rules: list(ruleScheduling), Note: "RLIMIT_NICE and RLIMIT_RTPRIO are looked at; the others limit a process, or what one user of the container's has"},
	{In: "process", Names: list("noNewPrivileges"), Note: "takes rights away only"},
	{In: "process", Names: list("apparmorProfile", "selinuxLabel"), Note: "a confinement on top; isolation does not rest on it, and a client may leave it out"},
	{In: "process", Names: list("oomScoreAdj"), Note: "says whom the kernel ends first where the host has no memory left; Kubernetes sets it for every pod, and memory limits are the answer to greed"},
	{In: "process.scheduler", Names: list("policy", "nice"), Rules: list(ruleScheduling)},
	{In: "process.scheduler", Names: list("priority", "flags", "runtime", "deadline", "period"), Note: "say more about a policy, and nothing for one that the rule scheduling lets pass"},
	{In: "process.ioPriority", Names: list("class"), Rules: list(ruleScheduling)},
	{In: "process.ioPriority", Names: list("priority"), Note: "within the class; the kernel compares it with other processes of that class only"},
	{In: "process.execCPUAffinity", Names: list("initial", "final"), Note: "processors for later processes; once they are in the container's cgroup, its cpuset holds"},
}

var mountFields = []Field{
	{In: "mounts[]", Names: list("destination"), Rules: list("mount-path", "dev-mount"), Step: "mounts", Note: "mounted below the staged root file system, opened so that no link leads out of it"},
	{In: "mounts[]", Names: list("type"), Rules: list("mount-type", "dev-mount"), Step: "mounts"},
	{In: "mounts[]", Names: list("source"), Rules: list("mount-path", "volume-source", ruleRestrictedMount, ruleEngineSocket, "device"), Step: "mounts", Note: "what was opened and judged is what is mounted"},
	{In: "mounts[]", Names: list("options"), Rules: list("mount-options", "dev-mount"), Step: "mounts"},
	{In: "mounts[].uidMappings[]", Names: list("containerID", "hostID", "size"), Rules: list("mount-mapping"), Step: "mounts", Note: "the container's own mapping is used"},
	{In: "mounts[].gidMappings[]", Names: list("containerID", "hostID", "size"), Rules: list("mount-mapping"), Step: "mounts", Note: "the container's own mapping is used"},
}

var hookFields = []Field{
	{In: "hooks.prestart[]", Names: list("path"), Rules: list(ruleHook), Note: "root of the host; deprecated, but runc still runs it"},
	{In: "hooks.createRuntime[]", Names: list("path"), Rules: list(ruleHook), Note: "root of the host"},
	{In: "hooks.createContainer[]", Names: list("path"), Rules: list(ruleHook), Note: "a program of the host, as the container's root, before the host's files are out of sight"},
	{In: "hooks.startContainer[]", Names: list("path"), Rules: list(ruleHook), Note: "a program of the container, with its rights"},
	{In: "hooks.poststart[]", Names: list("path"), Rules: list(ruleHook), Note: "root of the host"},
	{In: "hooks.poststop[]", Names: list("path"), Rules: list(ruleHook), Note: "root of the host"},
	{In: "hooks.prestart[]", Names: list("args", "env", "timeout"), Note: "go with a program that the rule hook let pass"},
	{In: "hooks.createRuntime[]", Names: list("args", "env", "timeout"), Note: "go with a program that the rule hook let pass"},
	{In: "hooks.createContainer[]", Names: list("args", "timeout"), Note: "go with a program that the rule hook let pass"},
	{In: "hooks.createContainer[]", Names: list("env"), Step: "hooks", Note: "where it is empty, older runc gives the program that of the container, LD_PRELOAD included (CVE-2025-23266); so it is never empty"},
	{In: "hooks.startContainer[]", Names: list("args", "env", "timeout"), Note: "go with a program of the container"},
	{In: "hooks.poststart[]", Names: list("args", "env", "timeout"), Note: "go with a program that the rule hook let pass"},
	{In: "hooks.poststop[]", Names: list("args", "env", "timeout"), Note: "go with a program that the rule hook let pass"},
}

var otherFields = []Field{
	{Names: list("solaris", "windows", "vm", "zos", "freebsd"), Note: "ignored by runc; for other systems"},
}
