package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"

	"upkeep/internal/service"
)

// Verify compares the store with a copy: every file byte by byte, every table by rows,
// totals and digest, as the copy's own declaration reads them; what differs is named by table and
// group. Pages and documents are read to their ends, so that a faithful copy of something
// damaged is not taken for a good one.
func (in *Instance) Verify(ctx context.Context, c service.Copy, r service.Report) (v service.Verdict, err error) {
	promised, err := promisedBy(c.Manifest())
	if err != nil {
		return v, err
	}
	here := in.at(in.dir, promised)
	files := comparison{in: here, report: r, total: c.Manifest().Counts[countBytes], stored: map[string]bool{}}
	if err := files.compare(ctx, c); err != nil {
		return v, fmt.Errorf("compare with the copy: %w", err)
	}
	files.judge(c.Manifest(), &v)
	content, err := here.measure(ctx, how{budget: -1, pages: true}, &v)
	if err != nil {
		return v, err
	}
	was := contentOf(c.Manifest())
	for _, table := range slices.Sorted(maps.Keys(was)) {
		if now, there := content[table]; there { // else a finding says why it cannot be read
			was[table].judge(table, now, &v)
		}
	}
	for name, n := range content.counts() {
		v.Set(name, n)
	}
	return v, ctx.Err()
}

// comparison is one of files with parts.
type comparison struct {
	in                    *Instance
	report                service.Report
	total, done           int64
	stored                map[string]bool
	bytes                 int64 // that the parts have
	lacks, differs, extra []string
}

func (c *comparison) compare(ctx context.Context, from service.Copy) error {
	for p, err := range from.Parts(ctx) {
		if err != nil {
			return fmt.Errorf("list the copy: %w", err)
		}
		c.stored[p.Name] = true
		c.bytes += p.Size
		if err := c.part(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	cfg, _, err := c.in.declare(ctx, c.in.dir)
	if err != nil {
		return err
	}
	list, err := c.in.members(cfg)
	for _, m := range list {
		if !c.stored[m.name] {
			c.extra = append(c.extra, m.name)
		}
	}
	return err
}

func (c *comparison) part(ctx context.Context, p service.Part) error {
	want, err := digestOfPart(ctx, p)
	if err != nil {
		return err
	}
	file, err := os.Open(c.in.path(p.Name))
	if errors.Is(err, fs.ErrNotExist) {
		c.lacks = append(c.lacks, p.Name)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	have, n, err := digest(ctx, file)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	c.done += n
	c.report.Add(c.done, c.total)
	if have != want {
		c.differs = append(c.differs, p.Name)
	} else if mode := modeOf(p); info.Mode().Perm() != mode.Perm() {
		c.differs = append(c.differs, fmt.Sprintf("%s (%#o, %#o)", p.Name, mode.Perm(), info.Mode().Perm()))
	}
	return nil
}

func modeOf(p service.Part) os.FileMode {
	mode, err := strconv.ParseUint(p.Attrs[attrMode], 8, 32)
	if err != nil {
		return 0o600
	}
	return os.FileMode(mode).Perm()
}

func digestOfPart(ctx context.Context, p service.Part) (string, error) {
	if p.SHA256 != "" {
		return p.SHA256, nil
	}
	content, err := openPart(ctx, p)
	if err != nil {
		return "", err
	}
	sum, _, err := digest(ctx, content)
	return sum, errors.Join(err, content.Close())
}

func openPart(ctx context.Context, p service.Part) (io.ReadCloser, error) {
	if p.Open == nil {
		return nil, fmt.Errorf("the copy has no content: %w", service.ErrDamaged)
	}
	return p.Open(ctx)
}

func digest(ctx context.Context, from io.Reader) (string, int64, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, during{ctx, from})
	return hex.EncodeToString(sum.Sum(nil)), n, err
}

// during stops reading when ctx ends.
type during struct {
	ctx context.Context
	io.Reader
}

func (d during) Read(p []byte) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.Reader.Read(p)
}

func (c *comparison) judge(m service.Manifest, v *service.Verdict) {
	if len(c.lacks) > 0 {
		v.Crit("dataset.file-lacks", "", service.Args{"n": len(c.lacks), "names": c.lacks})
	}
	if len(c.differs) > 0 {
		v.Crit("dataset.file-differs", "", service.Args{"n": len(c.differs), "names": c.differs})
	}
	judge := v.Crit
	if lacking(m) {
		judge = v.Warn
	}
	if len(c.extra) > 0 {
		judge("dataset.file-extra", "", service.Args{"n": len(c.extra), "names": c.extra})
	}
	listed := map[string]int64{countFiles: int64(len(c.stored)), countBytes: c.bytes}
	for _, what := range []string{countFiles, countBytes} {
		v.Set(what, listed[what])
		if promised := m.Counts[what]; listed[what] != promised {
			v.Crit("dataset.copy-incomplete", what, service.Args{"what": what, "listed": listed[what], "promised": promised})
		}
	}
}

// judge compares a table as it was copied with what is there now.
func (was tableContent) judge(table string, now tableContent, v *service.Verdict) {
	if was.same(now.mark) {
		return
	}
	var groups []string
	for _, name := range slices.Sorted(maps.Keys(was.groups)) {
		groups = append(groups, differing(name, was.groups[name], now.groups[name])...)
	}
	v.Crit("dataset.table-differs", table, service.Args{"table": table, "promised": was.String(), "present": now.String(), "groups": groups})
}

// differing names the groups that are not as they were: "model gpt (3 rows ...)".
func differing(name string, was, now map[string]mark) (groups []string) {
	values := slices.Collect(maps.Keys(was))
	values = slices.AppendSeq(values, maps.Keys(now))
	slices.Sort(values)
	for _, value := range slices.Compact(values) {
		if before, after := was[value], now[value]; !before.same(after) {
			groups = append(groups, fmt.Sprintf("%s %s (%s → %s)", name, value, before, after))
		}
	}
	return groups
}
