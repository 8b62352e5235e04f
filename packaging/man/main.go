// Command man writes the manual pages of every command, for each language into a directory of
// its own:
//
//	man DIR
//
// Their date is $SOURCE_DATE_EPOCH.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra/doc"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
	"upkeep/internal/surface/cli"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: man DIR")
		os.Exit(2)
	}
	for _, language := range catalogue.Languages() {
		if err := write(language, filepath.Join(os.Args[1], language)); err != nil {
			fmt.Fprintln(os.Stderr, "man:", err)
			os.Exit(1)
		}
	}
}

func write(language, dir string) error {
	// The pages name no kind: those have pages of their own in docs/kinds.
	root, err := cli.Tree(cli.World{Kinds: service.NewRegistry(), Getenv: func(string) string { return "" }}, language)
	if err != nil {
		return err
	}
	root.DisableAutoGenTag = true // it would say the day of the build
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "upkeep", Manual: "upkeep"}, dir)
}
