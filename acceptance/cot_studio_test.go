package acceptance

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"

	cotstudio "upkeep/examples/cot-studio"
	"upkeep/lab"
)

// cotStudio is cotstudio WHAT [ARG…]: see README.md.
func cotStudio(ts *testscript.TestScript, _ bool, args []string) {
	all, ctx := ts.Value(labKey{}).(*servers), context.Background()
	switch what, args := args[0], args[1:]; what {
	case "declaration":
		text, err := cotstudio.Files.ReadFile("upkeep.yaml")
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o600))
	case "project":
		project := lab.NewCotProject(scriptTB{ts})
		all.cot, all.engines["engine"] = project.CotStudio, project.Engine
		ts.Setenv("COT", project.Dir)
		ts.Setenv("DOCKER_HOST", project.Engine.Host)
		compose, err := lab.ComposeProgram()
		ts.Check(err)
		ts.Setenv("COMPOSE", compose+" -f docker-compose.yml -f compose.lab.yml")
	case "up":
		all.cot = lab.NewCotStudio(scriptTB{ts})
		ts.Setenv("COT", all.cot.Dir)
		for _, name := range []string{"postgres", "redis", "minio", "rabbitmq", "neo4j"} {
			part, err := all.cot.Part(name)
			ts.Check(err)
			ts.Setenv(name+"_PASSWORD", part.Password)
		}
	case "seed":
		rows, err := strconv.Atoi(args[0])
		ts.Check(err)
		made, err := all.cot.Seed(ctx, rows)
		ts.Check(err)
		ts.Logf("seeded: %+v", made)
	case "break":
		hit, err := all.cot.Break(ctx, args[0])
		ts.Check(err)
		ts.Setenv("HIT", hit)
	case "lose":
		ts.Check(all.cot.Lose(args[0]))
	case "renew":
		ts.Check(all.cot.Renew(ctx))
	case "verdicts":
		fmt.Fprint(ts.Stdout(), verdicts(ts.ReadFile("stdout")))
	default:
		part, err := all.cot.Part(args[0])
		ts.Check(err)
		move(ts, what, part)
	}
}

func move(ts *testscript.TestScript, what string, part *lab.Server) {
	switch what {
	case "start":
		ts.Check(part.Start(context.Background()))
	case "stop":
		ts.Check(part.Stop())
	case "resume":
		ts.Check(part.Resume())
	default:
		ts.Fatalf("cotstudio cannot %s", what)
	}
}

// verdicts has a line per target but the machine and upkeep itself, which depend on
// where the test runs: its verdict, its error and its findings in their order.
func verdicts(output string) string {
	var text strings.Builder
	for _, target := range gjson.Get(output, "targets").Array() {
		name := target.Get("target").String()
		if name == "host" || name == "upkeep" {
			continue
		}
		line := []string{name, target.Get("verdict").String()}
		if id := target.Get("error.id").String(); id != "" {
			line = append(line, id)
		}
		for _, finding := range target.Get("findings").Array() {
			line = append(line, finding.Get("id").String())
		}
		fmt.Fprintln(&text, strings.Join(line, " "))
	}
	return text.String()
}
