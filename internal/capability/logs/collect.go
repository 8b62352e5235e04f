// Package logs collects what targets have logged since it was last asked, files it
// where it can be searched, and says what is new in it. It reads the targets' logs
// and never changes them: rotating and removing is care, and the kinds' business.
package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep/internal/inventory"
	"upkeep/internal/logs/record"
	"upkeep/internal/logs/trend"
	"upkeep/internal/service"
)

// Collect is one round over chosen targets.
type Collect struct {
	Targets []inventory.Target
	Dir     string // of the archives, one per target
	Now     func() time.Time
	// Accepted is the noise of a target that people know; nil for none.
	Accepted func(target string) []trend.Accepted
	Keep     Keep
}

const (
	opCollect = "collect"
	opExpire  = "expire"
)

// Steps lists what is done for each target: collect, then let old days go.
func (c Collect) Steps() []service.Step {
	steps := []service.Step{}
	for _, t := range c.Targets {
		steps = append(steps, service.Step{ID: opCollect + " " + t.Name, Target: t.Name, Op: opCollect, Risk: service.Harmless,
			Title: service.Message{ID: "logs.collect", Args: service.Args{"target": t.Name}}})
		if c.Keep != (Keep{}) {
			steps = append(steps, service.Step{ID: opExpire + " " + t.Name, Target: t.Name, Op: opExpire, Risk: service.Harmless,
				Title: service.Message{ID: "logs.expire", Args: service.Args{"target": t.Name}}})
		}
	}
	return steps
}

// Do does one step.
func (c Collect) Do(ctx context.Context, t service.Task) (out service.Outcome, err error) {
	if t.Step.Op == opExpire {
		return c.expire(ctx, t)
	}
	source, err := service.As[service.LogSource](t.Instance)
	if err != nil {
		return out, err
	}
	archive, err := OpenArchive(ctx, ArchiveOf(c.Dir, t.Step.Target))
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	round, err := c.begin(ctx, archive, t.Report)
	if err != nil {
		return out, err
	}
	err = round.all(ctx, source)
	out.Verdict = round.verdict
	if err != nil {
		return out, err
	}
	var known []trend.Accepted
	if c.Accepted != nil {
		known = c.Accepted(t.Step.Target)
	}
	return out, round.end(ctx, &out.Verdict, known)
}

func (c Collect) expire(ctx context.Context, t service.Task) (out service.Outcome, err error) {
	archive, err := OpenArchive(ctx, ArchiveOf(c.Dir, t.Step.Target))
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, archive.Close()) }()
	return out, archive.expire(ctx, c.Keep, c.Now(), &out.Verdict)
}

// round is one collection of one target.
type round struct {
	now     time.Time
	archive *Archive
	batch   *Batch
	waiting *queue
	report  service.Report
	state   trend.State
	mining  *mining
	reader  *record.Reader // of the present stream
	run     trend.Run
	verdict service.Verdict
	levels  map[record.Level]int64
	streams int64
	bytes   int64
}

// keyState is under which the templates of earlier runs are kept.
const keyState = "templates"

func (c Collect) begin(ctx context.Context, archive *Archive, report service.Report) (*round, error) {
	r := &round{now: c.Now(), archive: archive, report: report, levels: map[record.Level]int64{}}
	r.reader = record.NewReader(nil, record.Options{Zone: r.now.Location()})
	kept, err := archive.Recall(ctx, keyState)
	if err != nil {
		return nil, fmt.Errorf("recall the templates of earlier collections: %w", err)
	}
	if kept != "" {
		if err := json.Unmarshal([]byte(kept), &r.state); err != nil {
			return nil, fmt.Errorf("read the templates of earlier collections: %w", err)
		}
	}
	r.mining = newMining(r.state)
	r.batch, err = archive.Begin(ctx, r.now)
	return r, err
}

// all reads every stream from where it was left. What is not committed when it
// breaks off is read again by the next collection.
func (r *round) all(ctx context.Context, source service.LogSource) error {
	from, err := r.archive.Cursors(ctx)
	if err != nil {
		return err
	}
	feed := newFeed(source.Logs(ctx, from))
	defer feed.stop()
	if err := r.both(ctx, feed); err != nil {
		return errors.Join(err, r.batch.Discard())
	}
	if err := r.batch.Commit(ctx); err != nil || len(feed.failed) == 0 {
		return err
	}
	return fmt.Errorf("read the logs: %w", errors.Join(feed.failed...))
}

// both packs and groups beside the reading of lines: each takes as long.
func (r *round) both(ctx context.Context, feed *feed) error {
	work, unlessFailed := errgroup.WithContext(ctx)
	r.waiting = newQueue()
	work.Go(func() error {
		return r.waiting.each(func(b service.LogBlock) error { return r.batch.Append(ctx, b.Stream, b.Data, b.Next) })
	})
	work.Go(func() error {
		r.mining.each()
		return nil
	})
	work.Go(func() error {
		defer r.waiting.close()
		defer r.mining.close()
		for feed.nextStream() {
			if err := r.stream(unlessFailed, feed); err != nil {
				return err
			}
		}
		return nil
	})
	return work.Wait()
}

// stream files the lines of one stream and counts its records.
func (r *round) stream(ctx context.Context, feed *feed) error {
	r.streams++
	feed.take = func(b service.LogBlock) error { return r.file(ctx, b) }
	r.reader.Reset(feed)
	for {
		rec, err := r.reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", feed.stream, err)
		}
		r.count(rec)
		if err := r.mining.add(ctx, rec); err != nil {
			return err
		}
	}
	r.run.Lines += r.reader.Stats().Lines
	return nil
}

// file has a block packed.
func (r *round) file(ctx context.Context, b service.LogBlock) error {
	if b.Break != "" {
		r.verdict.Warn(b.Break, b.Stream, service.Args{"stream": b.Stream})
	}
	r.bytes += int64(len(b.Data))
	r.report.Add(r.bytes, 0)
	return r.waiting.put(ctx, b)
}

func (r *round) count(rec *record.Record) {
	r.levels[rec.Level]++
	if rec.Stamped {
		if r.run.From.IsZero() || rec.Time.Before(r.run.From) {
			r.run.From = rec.Time
		}
		if rec.Time.After(r.run.To) {
			r.run.To = rec.Time
		}
	}
}

// end compares with earlier collections and keeps what the next one needs.
func (r *round) end(ctx context.Context, v *service.Verdict, known []trend.Accepted) error {
	seen := r.mining.seen()
	v.Set("bytes", r.bytes)
	v.Set("lines", r.run.Lines)
	v.Set("streams", r.streams)
	v.Set("templates", len(seen))
	v.Set("errors", r.levels[record.Error]+r.levels[record.Critical])
	if r.run.Lines == 0 {
		return nil // a run without lines is nothing to compare the next one with
	}
	judge(v, r.state.Compare(r.run, seen, known, r.now))
	r.state.Add(r.run, seen)
	text, err := json.Marshal(r.state)
	if err == nil {
		err = r.archive.Keep(ctx, keyState, string(text))
	}
	if err != nil {
		return fmt.Errorf("keep the templates for the next collection: %w", err)
	}
	return nil
}

// shown bounds how many templates are named one by one.
const shown = 10

// judge names what is new and grave, and what comes far more often than it did.
func judge(v *service.Verdict, changes trend.Report) {
	news := 0
	for _, c := range changes.New {
		if !grave(c.Level) {
			continue
		}
		if news++; news <= shown {
			v.Warn("logs.new-template", c.Template.Pattern, args(c))
		}
	}
	for i, c := range changes.Exploding {
		if i < shown {
			v.Warn("logs.exploding-template", c.Template.Pattern, args(c))
		}
	}
	v.Set("new_templates", news)
	v.Set("exploding_templates", len(changes.Exploding))
	v.Set("accepted_templates", changes.Accepted)
}

func grave(level string) bool {
	return level == record.Warning.String() || level == record.Error.String() || level == record.Critical.String()
}

func args(c trend.Change) service.Args {
	return service.Args{"level": c.Level, "pattern": c.Template.Pattern, "n": c.Template.Count, "sample": c.Template.Sample,
		"rate": c.Rate, "highest": c.Highest, "per": c.Per}
}
