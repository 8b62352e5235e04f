package service

import "time"

// Rotation is how log files are rotated, compressed and deleted, for other programs that do it.
// 0 is never.
type Rotation struct {
	Paths         []string
	Size          int64         // bytes from which on a file is rotated
	Age           time.Duration // since it was begun
	Keep          int           // rotated files; 0 = any number
	CompressAfter time.Duration
	DeleteAfter   time.Duration
	Signal        string // HUP, USR1 or USR2, to the process in Pidfile, which then opens its file anew
	Pidfile       string
	Looks         bool // the writer sees by itself that its file was moved
}

// RotationOf is what a configuration made by NewConfig asks for; ok is false where it asks for
// no rotation.
func RotationOf(config any) (r Rotation, ok bool) {
	if c, able := config.(interface{ Rotation() (Rotation, bool) }); able {
		return c.Rotation()
	}
	return r, false
}
