package docs_test

import (
	"path/filepath"
	"testing"

	"upkeep/internal/capability/hostfiles"
	"upkeep/internal/config"
)

// TestUnitOfThePackage: the package brings the unit of a system whose targets are all reached
// over the network. Whoever declares more makes another one with upkeep export systemd.
func TestUnitOfThePackage(t *testing.T) {
	const declaration, state = "/etc/upkeep/upkeep.yaml", "/var/lib/upkeep"
	system := hostfiles.System{Config: &config.Config{File: declaration, System: declaration}, Words: texts(t).Words("en"),
		Declaration: declaration, Home: state, State: state, Program: "/usr/bin/upkeep"}
	files := system.Unit()
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	page(t, filepath.Join("..", "packaging", "upkeep.service"), files[0].Text)
}
