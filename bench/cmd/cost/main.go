// Command cost runs a program and prints what it cost as JSON. It is for places that the
// benchmark itself is not in.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"upkeep/bench/measure"
)

func main() {
	cost, _, err := measure.Run(context.Background(), measure.Cmd{Argv: os.Args[1:], Env: os.Environ()})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(cost)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
