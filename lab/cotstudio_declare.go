package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	cotstudio "upkeep/examples/cot-studio"
)

// declaredStack is the line of the example's upkeep.yaml about its compose project.
const declaredStack = "  stack: {kind: compose, files: [docker-compose.yml], services: {migrate: {expect: exited}}}\n"

// declareWithoutStack is for programs that run in no container.
func (d *cotDeployment) declareWithoutStack(context.Context) error {
	return d.declare("", regexp.MustCompile(`(?m)^    runs_in: .*\n`))
}

// declare writes upkeep.yaml: the one that is deployed, with the real addresses in
// place of the published ones and a line in place of declaredStack, and without what
// the expression matches.
func (c *CotStudio) declare(stack string, without *regexp.Regexp) error {
	text, err := cotstudio.Files.ReadFile("upkeep.yaml")
	if err != nil {
		return err
	}
	declared := string(text)
	for _, pair := range append(c.addresses(), [2]string{declaredStack, stack}) {
		if strings.Count(declared, pair[0]) != 1 {
			return fmt.Errorf("upkeep.yaml of the example must say %q once", pair[0])
		}
		declared = strings.Replace(declared, pair[0], pair[1], 1)
	}
	return os.WriteFile(c.path("upkeep.yaml"), []byte(without.ReplaceAllString(declared, "")), 0o600)
}

func (c *CotStudio) addresses() [][2]string {
	at := func(part string) string { return c.parts[part].Addr() }
	return [][2]string{
		{"system: cot-studio\n", "system: cot-studio\nstate: state\nscratch: {dir: " + c.path("scratch") + "}\ntools: [" + strings.Join(cotTools(), ", ") + "]\n"},
		{"postgres://cotuser@127.0.0.1:5432/", "postgres://cotuser@" + at("postgres") + "/"},
		{"bolt://127.0.0.1:7687", "bolt://" + at("neo4j")},
		{"redis://127.0.0.1:6379/", "redis://" + at("redis") + "/"},
		{"http://127.0.0.1:9000", "http://" + at("minio")},
		{"amqp://cot@127.0.0.1:5672/", "amqp://" + c.parts["rabbitmq"].User + "@" + at("rabbitmq") + "/"},
		{"http://127.0.0.1:15672", c.parts["rabbitmq"].Management},
		{"http://127.0.0.1:8000/", "http://" + at("backend") + "/"},
		{"http://127.0.0.1:3000/", "http://" + at("frontend") + "/"},
		{"/srv/upkeep/cot-studio", "copies"},
	}
}

// cotTools are the directories of the programs that drills start and that are not on
// PATH; a drill without them is a lesser one, and says so.
func cotTools() (dirs []string) {
	if minio, err := MinIOProgram(); err == nil {
		dirs = append(dirs, filepath.Dir(minio))
	}
	if bin, err := Neo4jBin(); err == nil {
		dirs = append(dirs, bin)
	}
	return dirs
}
