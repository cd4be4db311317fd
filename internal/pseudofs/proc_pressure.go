package pseudofs

// noPressure is a pressure file in which nothing ever waited (Linux ≥ 5.13: cpu has a
// second line as well).
const noPressure = "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n" +
	"full avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"

// renderPressure makes the render of /proc/pressure/<resource> for "cpu", "io" or
// "memory": the text of the cgroup's own file, which must not be changed, or where
// the kernel has none (cgroup v1) one without pressure. It needs no text of the host.
func renderPressure(resource string) func(host []byte, v *View) []byte {
	return func(_ []byte, v *View) []byte {
		if text := v.PSI[resource]; text != nil {
			return text
		}
		return []byte(noPressure)
	}
}
