package rabbitmq

import (
	"context"
	"errors"

	"upkeep/internal/service"
)

// Check looks at the broker from both sides. AMQP is what applications use: without
// it nothing can be told. Without the management API what it alone tells is
// unknown, and the declared queues are judged over AMQP.
func (in *Instance) Check(ctx context.Context) (v service.Verdict, err error) {
	if err := ctx.Err(); err != nil {
		return v, err
	}
	seen := in.look(ctx)
	if seen.overviewed != nil && seen.amqp != nil {
		return v, errors.Join(seen.amqp, seen.overviewed)
	}
	facts(&v, seen)
	in.managed(&v, seen)
	in.members(&v, seen.nodes)
	return v, errors.Join(seen.amqp, in.backlog(ctx, &v, seen))
}

func facts(v *service.Verdict, seen view) {
	if seen.overviewed != nil {
		return
	}
	v.Set("version", seen.about.Version)
	v.Set("cluster", seen.about.Cluster)
	v.Set("connections", seen.about.Objects.Connections)
	v.Set("channels", seen.about.Objects.Channels)
	v.Set("nodes", len(seen.nodes))
}

// managed says which part of the management API did not answer, once.
func (in *Instance) managed(v *service.Verdict, seen view) {
	for _, part := range []struct {
		err  error
		what string
	}{{seen.overviewed, "everything"}, {seen.noded, "nodes"}, {seen.queued, "queues"}} {
		switch {
		case part.err == nil, seen.amqp != nil && errors.Is(part.err, service.ErrNotFound):
			continue // a virtual host that is not there is told by AMQP
		case errors.Is(part.err, service.ErrDenied):
			v.Unsure("management-denied", part.what, service.Args{"user": in.at.user, "address": in.cfg.Management, "what": part.what})
		default:
			v.Unsure("management-silent", part.what, service.Args{"address": in.cfg.Management, "what": part.what})
		}
		return
	}
}

// members judges the nodes. A node that is down tells nothing else.
func (in *Instance) members(v *service.Verdict, nodes []node) {
	for _, n := range nodes {
		if !n.Running {
			v.Crit("node-down", n.Name, service.Args{"node": n.Name})
			continue
		}
		if len(n.Partitions) > 0 {
			v.Crit("partition", n.Name, service.Args{"node": n.Name, "others": n.Partitions})
		}
		in.memory(v, n)
		in.disk(v, n)
		in.files(v, n)
	}
}

func (in *Instance) memory(v *service.Verdict, n node) {
	args := service.Args{"node": n.Name, "used": n.MemUsed.value, "limit": n.MemLimit.value}
	switch {
	case n.MemAlarm:
		v.Crit("memory-alarm", n.Name, args)
	case !n.MemUsed.known || n.MemLimit.value == 0:
		v.Unsure("node-unmeasured", n.Name, service.Args{"node": n.Name})
	default:
		v.Set("memory_used", n.MemUsed.value)
		v.Set("memory_limit", n.MemLimit.value)
		args["share"] = float64(n.MemUsed.value) / float64(n.MemLimit.value)
		grade(v, "memory-high", n.Name, in.cfg.Memory, args)
	}
}

// disk: a node blocks publishers below its own limit, which is 50 MB unless somebody
// set it.
func (in *Instance) disk(v *service.Verdict, n node) {
	if n.DiskFree.known {
		v.Set("disk_free", n.DiskFree.value)
	}
	args := service.Args{"node": n.Name, "free": n.DiskFree.value, "limit": n.DiskLimit.value}
	switch {
	case n.DiskAlarm:
		v.Crit("disk-alarm", n.Name, args)
	case n.DiskFree.known && n.DiskFree.value < int64(in.cfg.DiskFree):
		args["wanted"] = int64(in.cfg.DiskFree)
		v.Warn("disk-low", n.Name, args)
	}
}

func (in *Instance) files(v *service.Verdict, n node) {
	if !n.FilesUsed.known || n.FilesTotal.value == 0 {
		return // newer versions leave it to the machine's own numbers
	}
	share := float64(n.FilesUsed.value) / float64(n.FilesTotal.value)
	grade(v, "files-high", n.Name, in.cfg.Files,
		service.Args{"node": n.Name, "used": n.FilesUsed.value, "limit": n.FilesTotal.value, "share": share})
}

// grade needs "share" in args.
func grade(v *service.Verdict, slug, subject string, limits Limits, args service.Args) {
	share, _ := args["share"].(float64)
	switch {
	case limits.Critical > 0 && share >= float64(limits.Critical):
		v.Crit(slug, subject, args)
	case limits.Warning > 0 && share >= float64(limits.Warning):
		v.Warn(slug, subject, args)
	}
}
