package main

// change is a line of a difference: ' ' in both, '-' in the first only, '+' in the
// second only.
type change struct {
	kind byte
	line string
}

// diff finds the shortest way from one text to another, by their longest common
// subsequence. Specs have hundreds of lines, so a table will do.
func diff(a, b []string) []change {
	if len(a)*len(b) > maxTable {
		return whole(a, b)
	}
	common := make([][]int32, len(a)+1) // length of the longest one from here on
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	var out []change
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			out = append(out, change{' ', a[i]})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && common[i+1][j] >= common[i][j+1]:
			out = append(out, change{'-', a[i]})
			i++
		default:
			out = append(out, change{'+', b[j]})
			j++
		}
	}
	return out
}

// maxTable is how many cells the table may have: 64 MB of memory.
const maxTable = 16 << 20

// whole says that everything has changed.
func whole(a, b []string) (out []change) {
	for _, line := range a {
		out = append(out, change{'-', line})
	}
	for _, line := range b {
		out = append(out, change{'+', line})
	}
	return out
}

// showDiff prints a difference with some lines around what has changed.
func showDiff(i ink, a, b []string) {
	const around = 2
	changes := diff(a, b)
	near := make([]bool, len(changes))
	for n, c := range changes {
		if c.kind != ' ' {
			for m := max(0, n-around); m <= min(len(changes)-1, n+around); m++ {
				near[m] = true
			}
		}
	}
	styles := map[byte]string{'-': red, '+': green}
	for n, c := range changes {
		switch {
		case near[n]:
			i.printf("%s\n", i.paint(styles[c.kind], string(c.kind)+" "+printable(c.line)))
		case n > 0 && near[n-1]:
			i.printf("%s\n", i.paint(faint, "  …"))
		}
	}
}
