package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"upkeep/bench/measure"
	"upkeep/lab"
)

// Container runs programs of this machine in containers that get so much memory and no
// swap: the kernel ends what wants more. The page cache of a program counts in, as far as it
// cannot be given up.
type Container struct {
	Memory   int64    // bytes
	Cost     string   // the program bench/cmd/cost
	Dirs     []string // to write to
	Programs []string // directories besides those of the system
}

// InContainers lends a Place.
func (c Container) InContainers(ctx context.Context, use func(Place) error) (err error) {
	e, err := lab.StartDocker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Remove()) }()
	return use(func(ctx context.Context, cmd measure.Cmd) (cost measure.Cost, out []byte, err error) {
		text, err := e.Docker(ctx, c.args(cmd)...)
		if err == nil {
			err = json.Unmarshal([]byte(text), &cost)
		}
		if err != nil {
			return cost, nil, fmt.Errorf("with %d MiB of memory: %w", c.Memory>>20, err)
		}
		return cost, nil, nil
	})
}

// args give a container the programs and libraries of this machine, to read.
func (c Container) args(cmd measure.Cmd) []string {
	args := []string{"run", "--rm", "--network", "none", "--workdir", cmd.Dir, fmt.Sprintf("--memory=%d", c.Memory), fmt.Sprintf("--memory-swap=%d", c.Memory)}
	for _, dir := range append([]string{"/usr", "/lib", "/lib64", "/etc"}, c.Programs...) {
		if _, err := os.Stat(dir); err == nil {
			args = append(args, "--volume", dir+":"+dir+":ro")
		}
	}
	for _, dir := range c.Dirs {
		args = append(args, "--volume", dir+":"+dir)
	}
	for _, variable := range cmd.Env {
		args = append(args, "--env", variable)
	}
	return slices.Concat(args, []string{lab.BaseImage, c.Cost}, cmd.Argv)
}
