// Package kube labels the node of Kubernetes that a pod runs on. It is for eci node, which
// the installer of deploy/kubernetes runs; it is no client for anything else, and not linked
// into the shim.
package kube
