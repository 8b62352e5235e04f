package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"upkeep/internal/service"
)

// planRestore reads the copy to its end and asks the target whether it can take
// it. It changes nothing.
func (in *Instance) planRestore(ctx context.Context, c service.Copy, sel service.Selection) (plan restorePlan, err error) {
	plan.sel = sel
	found, err := takeFrom(ctx, fromCopy(c), service.Report{}, func(it item) error {
		if !matches(sel.Only, it.Key) {
			return nil
		}
		if plan.keys == 0 {
			plan.first = slices.Clone(it.Key)
		}
		plan.keys++
		return nil
	})
	if err != nil {
		return plan, fmt.Errorf("read the copy: %w", err)
	}
	plan.head = found.head
	if err := fit(found, c.Manifest(), plan); err != nil {
		return plan, err
	}
	target, err := in.connect(ctx)
	if err != nil {
		return plan, err
	}
	defer func() { err = errors.Join(err, target.close()) }()
	about, err := target.info()
	if err != nil {
		return plan, err
	}
	plan.flushes = !about.version().before(7, 0) || about.server() == "valkey"
	if err := in.accepts(about, found, plan); err != nil {
		return plan, err
	}
	if err := target.room(about, c.Manifest(), found, sel); err != nil {
		return plan, err
	}
	plan.now, err = target.clock()
	return plan, err
}

// fit refuses a copy that is not what its manifest says, or not wholly readable.
func fit(found *census, m service.Manifest, plan restorePlan) error {
	switch {
	case found.unknown != nil:
		return fmt.Errorf("the copy cannot be taken apart: %w: %w", found.unknown, service.ErrUnsupported)
	case !sameEntries(m.Entries, found.entries()):
		return fmt.Errorf("the copy is not what its manifest says: %w", service.ErrDamaged)
	case found.modules > 0 && plan.sel.All():
		return &service.Fault{ID: "redis.module-keys", Args: service.Args{"keys": found.modules},
			Err: fmt.Errorf("%d keys belong to modules: %w", found.modules, service.ErrUnsupported)}
	case plan.keys == 0 && !plan.sel.All():
		return fmt.Errorf("no key of the copy matches %q: %w", plan.sel.Only, service.ErrNotFound)
	}
	return nil
}

// accepts refuses a target that would take none, or not all, of it.
func (in *Instance) accepts(about info, found *census, plan restorePlan) error {
	if about.role() == "replica" && !in.replica {
		return &service.Fault{ID: "redis.target-is-replica",
			Args: service.Args{"address": in.at.address, "primary": about["master_host"] + ":" + about["master_port"]},
			Err:  fmt.Errorf("%s is a replica: %w", in.at.address, service.ErrUnsupported)}
	}
	if about["cluster_enabled"] == "1" {
		return &service.Fault{ID: "redis.target-is-cluster", Args: service.Args{"address": in.at.address},
			Err: fmt.Errorf("%s is a node of a cluster: %w", in.at.address, service.ErrUnsupported)}
	}
	newest := newestFormat(about.server(), about.version())
	if !newest.reads(found.head.String()) || found.functions.count > 0 && !plan.flushes {
		return &service.Fault{ID: "redis.target-too-old",
			Args: service.Args{"version": about.release(), "reads": newest.String(), "format": found.head.String()},
			Err:  fmt.Errorf("%s cannot read format %s: %w", about.release(), found.head, service.ErrUnsupported)}
	}
	return nil
}

// room looks at the limits of the target: memory, databases, size of one value.
func (c *conn) room(about info, m service.Manifest, found *census, sel service.Selection) error {
	limit, _ := about.number("maxmemory")
	need, _ := strconv.ParseInt(m.Attrs[attrMemory], 10, 64)
	if sel.All() && limit > 0 && need > limit {
		return &service.Fault{ID: "redis.maxmemory-too-small", Args: service.Args{"limit": limit, "need": need},
			Err: fmt.Errorf("the source used %d bytes, maxmemory is %d: %w", need, limit, service.ErrNoSpace)}
	}
	for n := range found.dbs {
		if err := c.selectDB(n); err != nil {
			return &service.Fault{ID: "redis.too-few-databases", Args: service.Args{"database": n},
				Err: fmt.Errorf("%w: %w", err, service.ErrUnsupported)}
		}
	}
	largest := int64(512 << 20) // the default of proto-max-bulk-len
	if got, err := c.do("CONFIG", "GET", "proto-max-bulk-len"); err == nil {
		if pair, ok := got.([]any); ok && len(pair) == 2 {
			text, _ := pair[1].(string)
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				largest = n
			}
		}
	}
	const footer = 11 // type, version, checksum
	if found.largest+footer > largest {
		return &service.Fault{ID: "redis.value-too-large", Args: service.Args{"size": found.largest, "limit": largest},
			Err: fmt.Errorf("one value has %d bytes, the server takes %d: %w", found.largest, largest, service.ErrUnsupported)}
	}
	return nil
}

// clock is the target's time in milliseconds.
func (c *conn) clock() (int64, error) {
	got, err := c.do("TIME")
	if err != nil {
		return 0, fmt.Errorf("ask %s for its time: %w", c.address, err)
	}
	parts, _ := got.([]any)
	if len(parts) != 2 {
		return 0, fmt.Errorf("ask %s for its time: %w", c.address, errProtocol)
	}
	text, _ := parts[0].(string)
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("ask %s for its time: %w", c.address, err)
	}
	return seconds * 1000, nil
}
