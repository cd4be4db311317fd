// Package metrics writes figures in Prometheus' text format, and serves them over HTTP. It
// is for eci metrics; what the figures are it is told, and it is not linked into the shim.
package metrics
