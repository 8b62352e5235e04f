// Command lab keeps private servers for the demo and for experiments: they stay
// between two commands until "lab down" ends them. It also makes stores of results, which
// are files alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"upkeep/lab"
	"upkeep/lab/seed"
)

const usage = `usage:
  lab up DIR                     start PostgreSQL and Redis under DIR
  lab env DIR                    print their addresses as shell variables
  lab seed [-rows N] DIR         fill them, and DIR/uploads, with believable data
  lab stop|kill|pause|resume DIR COMPONENT   break one of them: postgres or redis
  lab down DIR                   end them; their data stays
  lab cotstudio up|seed|break|down DIR       the same with the whole example system
  lab results make|break DIR     a store of benchmark results; needs no server
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out, problems io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(args) < 2 {
		fmt.Fprint(problems, usage)
		return 2
	}
	if err := do(ctx, args[0], args[1:], out); err != nil {
		fmt.Fprintln(problems, "lab:", err)
		return 1
	}
	return 0
}

func do(ctx context.Context, verb string, args []string, out io.Writer) error {
	switch verb {
	case "up":
		servers, err := lab.Up(ctx, args[0], lab.Options{})
		if err == nil {
			err = environment(out, args[0], servers)
		}
		return err
	case "env":
		servers, err := lab.Open(args[0])
		if err == nil {
			err = environment(out, args[0], servers)
		}
		return err
	case "seed":
		return fill(ctx, args, out)
	case "down":
		return lab.Down(args[0])
	case "cotstudio":
		return cotStudio(ctx, args, out)
	case "results":
		return benchmarkResults(ctx, args, out)
	}
	return hurt(verb, args)
}

// environment prints addresses without passwords, and references to those.
func environment(out io.Writer, dir string, servers []*lab.Server) error {
	uploads, err := filepath.Abs(filepath.Join(dir, "uploads"))
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "LAB_UPLOADS='%s'\n", uploads)
	for _, s := range servers {
		name, database := strings.ToUpper(s.Component), seed.Database
		if s.Component == "redis" {
			database = "0"
		}
		fmt.Fprintf(&text, "LAB_%s_URL='%s'\nLAB_%s_PASSWORD='file:%s'\n", name, s.URL(database), name, s.PasswordFile)
		fmt.Fprintf(&text, "LAB_%s_PORT=%d\n", name, s.Port)
	}
	_, err = io.WriteString(out, text.String())
	return err
}

func fill(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("lab seed", flag.ContinueOnError)
	rows := flags.Int("rows", 0, "rows of all tables together; 0 = 120,000")
	if err := flags.Parse(args); err != nil {
		return err
	}
	dir := flags.Arg(0)
	servers, err := lab.Open(dir)
	if err != nil {
		return err
	}
	places := seed.Places{Dir: filepath.Join(dir, "uploads")}
	for _, s := range servers {
		if s.Component == "redis" {
			places.Redis = s.DSN("0")
		} else {
			places.Postgres = s.DSN("postgres")
		}
	}
	start := time.Now()
	filled, err := seed.Fill(ctx, places, seed.Seed{Rows: *rows})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d rows in %d tables, %d files of %.1f MB, %d keys in %.1f s\n", filled.Total(), len(filled.Rows),
		filled.Files, float64(filled.Bytes)/1e6, filled.Keys, time.Since(start).Seconds())
	return err
}

// hurt breaks one server on purpose.
func hurt(verb string, args []string) error {
	act, known := map[string]func(*lab.Server) error{
		"stop": (*lab.Server).Stop, "kill": (*lab.Server).Kill, "pause": (*lab.Server).Pause, "resume": (*lab.Server).Resume,
	}[verb]
	if !known || len(args) != 2 {
		return fmt.Errorf("cannot do %q with %q\n%s", verb, args, usage)
	}
	servers, err := lab.Open(args[0])
	if err != nil {
		return err
	}
	for _, s := range servers {
		if s.Component == args[1] {
			return act(s)
		}
	}
	return fmt.Errorf("there is no %q in this lab", args[1])
}
