package dataset

import (
	"io/fs"
	"os"

	"upkeep/internal/service"
)

// linked says where a path leads that is a link: a file is replaced in one exchange of
// names, which would put a plain file in the place of the link. "" is no link.
func (in *Instance) linked(path string) string {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return ""
	}
	to, err := os.Readlink(path)
	if err != nil {
		return "?"
	}
	return to
}

// refuseLink is a step that says why a link stays as it is; none where it is none.
func (in *Instance) refuseLink(path string) []service.Step {
	to := in.linked(path)
	if to == "" {
		return nil
	}
	return refusal(in.within(path), "link", service.Args{"detail": to})
}
