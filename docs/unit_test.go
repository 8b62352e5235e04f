package docs_test

import (
	"log/slog"
	"path/filepath"
	"testing"

	"upkeep/internal/config"
	"upkeep/internal/control"
	"upkeep/internal/service/all"
)

// TestUnitOfThePackage: the package brings the unit of a system whose targets are all reached
// over the network. Whoever declares more makes another one with upkeep export systemd.
func TestUnitOfThePackage(t *testing.T) {
	const declaration = "/etc/upkeep/upkeep.yaml"
	app := control.Open(&config.Config{File: declaration, System: declaration, State: "/var/lib/upkeep"},
		control.Options{Kinds: all.Kinds(), Getenv: func(string) string { return "" }, Log: slog.New(slog.DiscardHandler), Words: texts(t).Words("en")})
	files, err := app.ServeUnit("/usr/bin/upkeep")
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	page(t, filepath.Join("..", "packaging", "upkeep.service"), files[0].Text)
}
