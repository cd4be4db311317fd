// Package setup writes this runtime into the configuration of engines, and takes it out
// again. It is for eci install and eci uninstall.
//
// What is written is first planned, as a list of [Edit], from what the files hold now; the
// plan can be shown. [Apply] writes all of it or nothing, each file by one rename, and leaves
// a [Record], by which [Undo] finds the way back: a file that nobody has touched since gets
// back the bytes that it had; from one that has changed, our part alone is taken out; and
// where our part itself was edited nothing is done at all ([ErrEdited]).
//
// The text of files is changed by insertion, never by printing what was parsed: comments,
// order and white space of the administrator stay. Afterwards it is parsed, and has to mean
// what it meant before, and our part.
//
// It starts no program and no daemon: which engines there are, and whether they are content,
// is the caller's to find out.
package setup
