package service

// Reach is what a target needs of this machine beyond a connection over the network.
// Configurations that need something return it from Reach() Reach; paths and patterns are as they
// were declared. It is asked for the unit that upkeep serve runs in, which keeps everything else shut.
type Reach struct {
	Reads     []string // files of other users, whatever their modes
	Writes    []string // directories in which care changes files
	Socket    string   // of an engine: whoever may talk to it is root on this machine
	Processes bool     // looks into processes of other users
	Signals   bool     // sends signals to them
	Disks     bool     // looks at every file system of the machine
}
