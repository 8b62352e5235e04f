package control

import (
	"context"

	"upkeep/internal/capability/export"
)

// Export writes a point as one archive and returns its size in bytes.
func (a *App) Export(ctx context.Context, point, file, recipient string) (int64, error) {
	e, err := a.export(ctx, point, nil, "")
	if err != nil {
		return 0, err
	}
	return e.Archive(ctx, file, recipient)
}

// Extract writes a point, or some of it, as files below dir and returns how many.
func (a *App) Extract(ctx context.Context, point string, targets []string, only, dir string) (int, error) {
	e, err := a.export(ctx, point, targets, only)
	if err != nil {
		return 0, err
	}
	return e.Directory(ctx, dir)
}

func (a *App) export(ctx context.Context, id string, targets []string, only string) (export.Export, error) {
	r, point, err := a.point(ctx, id)
	if err != nil {
		return export.Export{}, err
	}
	if len(targets) == 0 {
		targets = targetsOf(point)
	}
	return export.Export{Repository: r, Inventory: a.Inventory, Point: point, Targets: targets, Only: only}, nil
}
