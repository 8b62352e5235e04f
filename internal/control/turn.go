package control

import "time"

// Zone is where all times of day are.
func (a *App) Zone() *time.Location {
	zone, err := time.LoadLocation(a.Config.TimeZone)
	if err != nil || a.Config.TimeZone == "" { // a declaration with a zone that is none is not opened
		return time.Local
	}
	return zone
}
