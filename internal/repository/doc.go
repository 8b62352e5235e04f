// Package repository is where copies live: restore points of a system, each a
// set of copies of its targets, in a kopia repository on a file system. It knows
// bytes, names and digests; what a part means is the business of its kind, and
// when to copy or restore that of the verbs.
//
// # What lies in the repository
//
// A copy of a target is a kopia snapshot of user upkeep, path /SYSTEM/TARGET, so
// that stock kopia lists, verifies and restores it and never collects what it
// needs. Its root holds two directories:
//
//	pages/NNNNNNNN/NAME    the content of some thousand parts per page; NAME is
//	                       the part's name, escaped (see escapeName)
//	index/NNNNNNNN.jsonl   the same parts in ascending order, a JSON object per
//	                       line: exact name, attributes, size, identity, SHA-256,
//	                       object
//	index/contents.json    first name and objects of every page
//	index/manifest.json    the service.Manifest
//
// A page ends where the hash of a name says so, so a page whose parts did not
// change is the same object as in the copy before and costs nothing.
//
// Everything else is a kopia manifest of type "upkeep", labelled with the
// point's ID: "begun" (the header), "copy" (one per target), "sealed" (makes the
// point complete; names its copies, the declaration and the head of the journal)
// and "mark" (verified, proven, damaged). They are only ever added and removed
// together with their point.
//
// # Several processes
//
// Blobs are written once under new names and become visible with the index that
// names them, so readers and writers of any number of processes do not disturb
// each other; that is kopia's design. Maintenance is the one thing that takes
// data away: it holds the repository's lock file alone, writers of points hold it
// together, and it spares whatever is younger than a day besides.
//
// # Time
//
// Options.Now says how old points are. What kopia itself compares uses the
// machine's clock, never behind the newest record of the repository: after the
// clock was set back a removal would otherwise be older than what it removes and
// have no effect.
package repository
