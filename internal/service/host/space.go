package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/procfs"
	"github.com/shirou/gopsutil/v4/disk"

	"upkeep/internal/service"
)

// patience is how long one mount may take to say how full it is. A dead network
// server holds the call for ever.
const patience = 3 * time.Second

// memory of the mounts seen in earlier runs.
type seenMounts struct {
	Boot     string   `json:"boot"`
	Writable []string `json:"writable"` // in this boot
	Mounted  []string `json:"mounted"`  // declared ones, ever
}

func (in *Instance) checkMounts(ctx context.Context, v *service.Verdict) error {
	all, err := in.mounts()
	if err != nil {
		return err
	}
	seen, err := in.recallMounts(ctx)
	if err != nil {
		return err
	}
	grown, err := in.recallGrowth(ctx)
	if err != nil {
		return err
	}
	chosen := local(all)
	if len(in.cfg.Mounts) > 0 {
		chosen, err = in.declared(all, &seen, v)
	}
	facts := map[string]any{}
	for _, m := range chosen {
		judgeWritable(m, &seen, v)
		facts[m.MountPoint] = in.judgeSpace(ctx, m, grown, v)
	}
	v.Set("mounts", facts)
	return errors.Join(err, in.remember(ctx, "mounts", seen), in.remember(ctx, "space", grown))
}

// declared looks up the mounts that the declaration names. The verdict gets those
// that are not there; what lies on another mount is judged by that one.
func (in *Instance) declared(all map[string]*procfs.MountInfo, seen *seenMounts, v *service.Verdict) ([]*procfs.MountInfo, error) {
	var found []*procfs.MountInfo
	var unreadable []error
	for _, path := range in.cfg.Mounts {
		path = filepath.Clean(path)
		real, err := filepath.EvalSymlinks(path)
		if m := all[path]; m != nil { // without following: a dead server must not block here
			real, err = path, nil
		}
		if errors.Is(err, fs.ErrNotExist) {
			v.Crit("mount-missing", path, service.Args{"mount": path})
			continue
		}
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("look for the mount %s: %w", path, err))
			continue
		}
		m := holding(all, real)
		if m == nil {
			unreadable = append(unreadable, fmt.Errorf("find the mount that holds %s: %w", path, service.ErrNotFound))
			continue
		}
		judgeMounted(path, real, m, seen, v)
		if !slices.Contains(found, m) {
			found = append(found, m)
		}
	}
	return found, errors.Join(unreadable...)
}

// judgeMounted tells a mount that got lost from a directory that never was one.
func judgeMounted(path, real string, m *procfs.MountInfo, seen *seenMounts, v *service.Verdict) {
	args := service.Args{"mount": path, "on": m.MountPoint}
	switch {
	case m.MountPoint == real:
		if !slices.Contains(seen.Mounted, path) {
			seen.Mounted = append(seen.Mounted, path)
		}
	case slices.Contains(seen.Mounted, path):
		v.Crit("mount-lost", path, args)
	default:
		v.Warn("not-a-mount", path, args)
	}
}

// judgeWritable finds a file system that took writes before and takes none now.
func judgeWritable(m *procfs.MountInfo, seen *seenMounts, v *service.Verdict) {
	before := slices.Contains(seen.Writable, m.MountPoint)
	if failed(m) || before && has(m.Options, "ro") {
		v.Crit("read-only", m.MountPoint, service.Args{
			"mount": m.MountPoint, "device": m.Source, "type": m.FSType})
		return
	}
	if has(m.Options, "rw") && !before {
		seen.Writable = append(seen.Writable, m.MountPoint)
	}
}

// judgeSpace compares space, its growth and inodes with their limits and returns
// all of them as facts.
func (in *Instance) judgeSpace(ctx context.Context, m *procfs.MountInfo, grown histories, v *service.Verdict) map[string]any {
	usage, err := in.usage(ctx, m.MountPoint)
	if err != nil {
		v.Unsure("mount-no-answer", m.MountPoint, service.Args{
			"mount": m.MountPoint, "device": m.Source, "type": m.FSType, "why": err.Error()})
		return map[string]any{"type": m.FSType}
	}
	used := usage.UsedPercent / 100 // as df has it: root's reserve counts as used up
	in.cfg.Disk.judge(v, used, "disk-nearly-full", m.MountPoint, service.Args{
		"mount": m.MountPoint, "used": used, "free": int64(usage.Free), "size": int64(usage.Total)})
	facts := map[string]any{
		"type": m.FSType, "device": m.Source, "used": used,
		"free_bytes": int64(usage.Free), "size_bytes": int64(usage.Total),
	}
	grown.observe(m.MountPoint, in.env.Now(), int64(usage.Used), int64(usage.Total))
	in.judgeGrowth(grown[m.MountPoint], m.MountPoint, int64(usage.Free), v, facts)
	if usage.InodesTotal > 0 { // some file systems make them as needed
		share := usage.InodesUsedPercent / 100
		in.cfg.Inodes.judge(v, share, "inodes-nearly-full", m.MountPoint, service.Args{
			"mount": m.MountPoint, "used": share, "free": int64(usage.InodesFree), "total": int64(usage.InodesTotal)})
		facts["inodes_used"], facts["inodes_free"] = share, int64(usage.InodesFree)
	}
	return facts
}

// usage asks a mount how full it is. A call that hangs is left behind, once: the
// mount is not asked again until it has come back.
func (in *Instance) usage(ctx context.Context, path string) (*disk.UsageStat, error) {
	if !in.claim(path) {
		return nil, fmt.Errorf("an earlier call still waits: %w", service.ErrUnreachable)
	}
	type answer struct {
		usage *disk.UsageStat
		err   error
	}
	timed, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got := make(chan answer, 1)
	go func() {
		usage, err := in.statfs(timed, path)
		in.release(path) // before answering: the next check may follow at once
		got <- answer{usage, err}
	}()
	select {
	case a := <-got:
		return a.usage, a.err
	case <-timed.Done():
		return nil, fmt.Errorf("no answer within %s: %w", patience, service.ErrUnreachable)
	}
}

func (in *Instance) claim(path string) bool {
	in.lock.Lock()
	defer in.lock.Unlock()
	if in.stuck[path] {
		return false
	}
	in.stuck[path] = true
	return true
}

func (in *Instance) release(path string) {
	in.lock.Lock()
	defer in.lock.Unlock()
	delete(in.stuck, path)
}

// recallMounts forgets what was writable when the machine was started anew:
// somebody may have changed that on purpose.
func (in *Instance) recallMounts(ctx context.Context) (seen seenMounts, err error) {
	boot, err := in.boot()
	if err != nil {
		return seen, err
	}
	if _, err := in.recall(ctx, "mounts", &seen); err != nil {
		return seen, err
	}
	if seen.Boot != boot {
		seen.Boot, seen.Writable = boot, nil
	}
	return seen, nil
}

// recall reads what an earlier run remembered; false when there was none.
func (in *Instance) recall(ctx context.Context, key string, into any) (bool, error) {
	text, err := in.env.State.Get(ctx, key)
	if err != nil {
		return false, fmt.Errorf("recall %s of the last run: %w", key, err)
	}
	if text == "" {
		return false, nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return false, fmt.Errorf("read %s of the last run: %w", key, err)
	}
	return true, nil
}

func (in *Instance) remember(ctx context.Context, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write down %s: %w", key, err)
	}
	if err := in.env.State.Set(ctx, key, string(text)); err != nil {
		return fmt.Errorf("remember %s for the next run: %w", key, err)
	}
	return nil
}
