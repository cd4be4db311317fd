package main

import "strconv"

// nothingLeft counts what is on the host, also after the shim of a container was
// killed. That happens under eci only: what runc's shim would leave is not ours.
var nothingLeft = scene{
	title:    "Nothing is left, even after kill -9",
	promises: "P22",
	meaning: "There is no daemon that could forget: mounts are the shim's own and die with it, and the rest " +
		"containerd has our binary remove.",
	alone: true,
	script: `
ctr run -d --pid-file {dir}/pid --runtime {runtime} \
    {image} c sleep 600
kill -9 $(awk '/PPid:/ {print $2}' /proc/$(cat {dir}/pid)/status)
ctr run --rm --runtime {runtime} \
    {image} d echo starts
`,
	after: func(b *bed, t *turn) error {
		b.await()
		b.count("shim killed")
		t.census = b.census
		return nil
	},
	judge: judgeNothingLeft,
}

func judgeNothingLeft(_, eci turn) verdict {
	v := verdict{
		columns: []string{"before", "two under runc", "two under eci", "shim killed"},
		note:    "(These lines ran under eci only.)",
	}
	for _, kind := range kinds {
		r := row{label: kind.label}
		for _, when := range v.columns {
			r.cells = append(r.cells, strconv.Itoa(eci.census[when][kind.label]))
		}
		if eci.census["shim killed"][kind.label] != 0 {
			r.promise = "0 in the end"
		}
		v.rows = append(v.rows, r)
	}
	next := row{label: "the next container", cells: []string{"", "", "", eci.out[2].line(0)}}
	if next.cells[3] != "starts" {
		next.promise = "starts"
	}
	v.rows = append(v.rows, next)
	return v
}
