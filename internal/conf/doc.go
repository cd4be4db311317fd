// Package conf finds and reads the administrator's configuration, for the shim and
// for the command eci.
//
// The files, in the order in which they count:
//
//	/etc/eci/config.toml      or what $ECI_CONFIG names; missing means the defaults
//	/etc/eci/conf.d/*.toml    beside it, in the order of their names
//	/etc/eci/images.lock      beside it: what names of images stand for
//	ConfigPath                what a client's runtime options name, if the files
//	                          before list it in policies
//
// The contract: either all of them are as only root could have made them, and valid,
// or there is an error and no configuration. A file belongs to root and is writable
// by nobody else; so is the directory that holds it; every directory on the way, and
// every symbolic link, belongs to root, and who else may write there cannot replace
// what is root's (the sticky bit). Each is opened once, and judged and read by that
// descriptor. Nothing is kept: a change holds for the next container.
//
// What the words in the files mean is package policy's business. This package does
// not say where the files are on a host other than the one that root shows it.
package conf
