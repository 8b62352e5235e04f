package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/service"
)

// owner is the user of the programs; without a name they run as upkeep itself.
type owner struct {
	name     string
	uid, gid int
}

func ownerHere(names []string) (owner, error) {
	if os.Getuid() != 0 {
		return owner{}, nil
	}
	for _, name := range names {
		account, err := user.Lookup(name)
		if err != nil {
			continue
		}
		if who, ok := ownerOf(name, account.Uid, account.Gid); ok {
			return who, nil
		}
	}
	return owner{}, nobody(names, "here")
}

// owner looks into the list of users of the image. An unprivileged upkeep lends the
// programs its own number: they could not share files else.
func (c *container) owner(ctx context.Context, names []string) (owner, error) {
	if os.Getuid() != 0 {
		return owner{name: fmt.Sprintf("%d:%d", os.Getuid(), os.Getgid())}, nil
	}
	var users bytes.Buffer
	if err := c.Run(ctx, service.Cmd{Program: "cat", Args: []string{"/etc/passwd"}, Stdout: &users}); err != nil {
		return owner{}, fmt.Errorf("read the users of the image: %w: %w", service.ErrNoScratch, err)
	}
	return listed(users.String(), names)
}

func listed(users string, names []string) (owner, error) {
	lines := strings.Split(users, "\n")
	for _, name := range names {
		i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+":") })
		if i < 0 {
			continue
		}
		if fields := strings.Split(lines[i], ":"); len(fields) > 3 {
			if who, ok := ownerOf(name, fields[2], fields[3]); ok {
				return who, nil
			}
		}
	}
	return owner{}, nobody(names, "in the image")
}

func ownerOf(name, uid, gid string) (owner, bool) {
	u, err := strconv.Atoi(uid)
	if err != nil {
		return owner{}, false
	}
	g, err := strconv.Atoi(gid)
	return owner{name, u, g}, err == nil
}

func nobody(names []string, where string) error {
	return fmt.Errorf("there is no user %s %s to run the scratch server as: %w", strings.Join(names, " or "), where, service.ErrNoScratch)
}
