package main

import (
	"fmt"
	"strings"
)

// hostNamespaces asks for namespaces of the host.
var hostNamespaces = scene{
	title:    "The host's namespaces stay the host's",
	promises: "P04",
	meaning:  "A request that would undo the isolation is refused before anything has started, in one line that says why:",
	script: `
ctr run --rm --net-host --runtime {runtime} \
    {image} c ls /sys/class/net
ctr run --rm --with-ns pid:/proc/self/ns/pid --runtime {runtime} \
    {image} c ps
`,
	judge: judgeHostNamespaces,
}

func judgeHostNamespaces(runc, eci turn) verdict {
	const sentence = "can't share a network namespace with the host"
	net, pid := refusal(eci.out[0]), refusal(eci.out[1])
	v := verdict{quote: orElse(net, eci.out[0].text)}
	v.rows = []row{
		expect("the host's network", networks(runc.out[0]), answer(eci.out[0], networks),
			strings.Contains(net, sentence), "refused: eci containers "+sentence),
		expect("the host's processes", processes(runc.out[1]), answer(eci.out[1], processes),
			strings.Contains(pid, "pid"), "refused, by a line that names the pid namespace"),
	}
	return v
}

// refusal is the one line by which the runtime refuses a spec, "" if there is
// none or more than that line.
func refusal(o output) string {
	all := o.lines()
	if o.code == 0 || len(all) != 1 {
		return ""
	}
	if !strings.Contains(all[0], "error in the container spec: ") {
		return ""
	}
	return all[0]
}

// answer is "refused", or what the container has seen.
func answer(o output, seen func(output) string) string {
	if refusal(o) != "" {
		return "refused"
	}
	return seen(o)
}

func networks(o output) string {
	if o.code != 0 {
		return o.line(0)
	}
	return "sees " + strings.Join(o.lines(), " ")
}

func processes(o output) string {
	if o.code != 0 {
		return o.line(0)
	}
	return fmt.Sprintf("sees all %d", len(o.lines())-1) // less the heading
}
