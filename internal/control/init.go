package control

import (
	"context"

	"upkeep/internal/catalogue"
	"upkeep/internal/service"
)

// InitRequest says where a declaration is to be written and from what.
type InitRequest struct {
	Dir            string
	FromRepository string // path of a repository; empty = look at the machine
	Password       string // reference to its password
	DryRun         bool
	Words          catalogue.Words // of the comments in the file
}

// Made is a declaration that was written, or would be.
type Made struct {
	File    string            `json:"file"`
	Targets int               `json:"targets"`
	Notes   []service.Message `json:"notes"` // what was guessed, and what could not be reached
	Text    []byte            `json:"-"`
}

// Init writes an upkeep.yaml, never over an existing one.
func Init(ctx context.Context, req InitRequest, opt Options) (Made, error) {
	return Made{}, service.ErrUnsupported
}
