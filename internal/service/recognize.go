package service

// Recognizer is implemented by the configuration of a kind whose stores show by their
// files what they are. init asks it about directories: it reads heads of files, writes
// nothing, and what it cannot tell is among what it says. The kind takes the directory
// under dir:.
type Recognizer interface {
	Recognize(dir string) (Recognized, bool)
}

// Recognized is a directory that a kind can look after. Paths are absolute.
type Recognized struct {
	Name   string    // of a target for it, where nobody gives another
	About  []Message // what lies there; the IDs are of the kind's catalogue
	Unsure []Message // what could not be told, with the target's name as an argument
	Holds  []string  // files and directories that the kind keeps and nobody else should
	Config []string  // files with secrets that belong to it
	Logs   []string  // directories in which its programs write *.log, at any depth
}
