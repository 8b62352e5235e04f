package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"time"

	"upkeep/lab"
)

const cotUsage = `usage:
  lab cotstudio up DIR                 start the example system under DIR
  lab cotstudio seed [-rows N] DIR     fill it through its own interface, and with N rows besides
  lab cotstudio break DIR WHAT         do one fault; an unknown one lists them
  lab cotstudio down DIR               end it; its data stays
`

func cotStudio(ctx context.Context, args []string, out io.Writer) error {
	if len(args) < 2 {
		return fmt.Errorf("cannot do %q\n%s", args, cotUsage)
	}
	switch verb, args := args[0], args[1:]; verb {
	case "up":
		return cotUp(ctx, args[0], out)
	case "seed":
		return cotSeed(ctx, args, out)
	case "break":
		return cotBreak(ctx, args, out)
	case "down":
		c, err := lab.OpenCotStudio(args[0])
		if err != nil {
			return err
		}
		return c.Down()
	}
	return fmt.Errorf("cannot do %q\n%s", args, cotUsage)
}

func cotUp(ctx context.Context, dir string, out io.Writer) error {
	start := time.Now()
	c, err := lab.CotStudioUp(ctx, dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "up in %.0f s; cd %s and try: upkeep check\n", time.Since(start).Seconds(), c.Dir)
	return err
}

func cotSeed(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("lab cotstudio seed", flag.ContinueOnError)
	rows := flags.Int("rows", 20000, "rows besides those that the application makes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c, err := lab.OpenCotStudio(flags.Arg(0))
	if err != nil {
		return err
	}
	made, err := c.Seed(ctx, *rows)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d users, %d projects, %d files, %d entities, %d further rows\n", made.Users, made.Projects, made.Files, made.Entities, made.Rows)
	return err
}

func cotBreak(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("cannot break %q\n%s", args, cotUsage)
	}
	c, err := lab.OpenCotStudio(args[0])
	if err != nil {
		return err
	}
	hit, err := c.Break(ctx, args[1])
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", args[1], hit)
	return err
}
