package suite

import (
	"upkeep/bench/measure"
	"upkeep/bench/table"
)

// Rows turns the medians of one suite into rows of the published table. A row
// without any value stays: that nothing could be measured is a result too.
func (r *Result) Rows(suite string, tools []string) []table.Row {
	switch suite {
	case "trees":
		return r.treeRows(tools)
	case "postgres":
		return r.postgresRows(tools)
	case "templates":
		return r.templateRows(tools)
	case "stack":
		return r.stackRows(tools)
	case "objects":
		return r.objectRows(tools)
	case "graph":
		return r.graphRows(tools)
	case "logs":
		return r.logRows(tools)
	case "export":
		return r.exportRows(tools)
	case "drill":
		return r.drillRows(tools)
	case "merge":
		return r.mergeRows(tools)
	case "merge-50m":
		return r.cappedRows(tools)
	case "document":
		return r.documentRows(tools)
	case "around":
		return r.aroundRows(tools)
	case "rules":
		return r.ruleRows(tools)
	case "status":
		return r.statusRows(tools)
	}
	return r.answerRows(tools)
}

func (r *Result) treeRows(tools []string) []table.Row {
	copies := []table.Limit{{Peer: "restic", Factor: 1}, {Peer: "kopia", Factor: 1.05}}
	same := []table.Limit{{Peer: "restic", Factor: 1}, {Peer: "kopia", Factor: 1}}
	restic := []table.Limit{{Peer: "restic", Factor: 1}}
	memory := []table.Limit{{Peer: "kopia", Factor: 1}}
	rows := []table.Row{
		r.time(tools, First, copies), r.stored(tools, First, "repository", copies),
		r.time(tools, Unchanged, same), r.added(tools, Unchanged, nil),
		r.time(tools, Changed, same), r.added(tools, Changed, nil),
		r.time(tools, ReadBack, restic),
		r.time(tools, Restore, restic),
	}
	for _, work := range []string{First, Unchanged, Changed, ReadBack, Restore} {
		rows = append(rows, r.memory(tools, work, memory))
	}
	for _, work := range []string{First, Unchanged, Changed, ReadBack, Restore} {
		rows = append(rows, r.cpu(tools, work))
	}
	return rows
}

func (r *Result) postgresRows(tools []string) []table.Row {
	// One percent of what the first backup stored.
	first := float64(measure.Middle(r.Bytes(Dump, table.Subject)))
	return []table.Row{
		r.time(tools, Dump, []table.Limit{{Peer: PgTools, Factor: 1.2}}),
		r.stored(tools, Dump, "repository, file", nil),
		r.added(tools, DumpUnchanged, []table.Limit{{Factor: first / 100}}),
		r.time(tools, DrillOrLoad, []table.Limit{{Peer: PgTools, Factor: 1.5}}),
		r.memory(tools, Dump, nil), r.memory(tools, DrillOrLoad, nil),
		r.cpu(tools, Dump), r.cpu(tools, DrillOrLoad),
	}
}

func (r *Result) answerRows(tools []string) []table.Row {
	return []table.Row{
		r.time(tools, Version, []table.Limit{{Factor: 0.1}}),
		r.time(tools, Check, []table.Limit{{Factor: 1}}),
	}
}

func (r *Result) templateRows(tools []string) []table.Row {
	return []table.Row{
		r.time(tools, Group, []table.Limit{{Peer: Drain, Factor: 0.1}}),
		r.cpu(tools, Group),
		r.memory(tools, Group, []table.Limit{{Peer: Drain, Factor: 1}}),
		r.misgrouped(tools, GroupMixed), r.misgrouped(tools, GroupTuned), r.misgrouped(tools, GroupHeld),
	}
}

func (r *Result) stackRows(tools []string) []table.Row {
	return []table.Row{
		r.time(tools, CheckStack, []table.Limit{{Peer: DailyScript, Factor: 0.25}}),
		r.cpu(tools, CheckStack),
		r.time(tools, CheckFrozen, []table.Limit{{Factor: frozenLimit.Seconds()}}),
		r.time(tools, OthersTold, nil),
	}
}

func (r *Result) objectRows(tools []string) []table.Row {
	return []table.Row{
		r.time(tools, CopyObjects, []table.Limit{{Peer: Rclone, Factor: 1}}), r.cpu(tools, CopyObjects), r.memory(tools, CopyObjects, nil),
		r.time(tools, SameObjects, []table.Limit{{Peer: Rclone, Factor: 0.5}}), r.cpu(tools, SameObjects), r.memory(tools, SameObjects, nil),
	}
}

func (r *Result) graphRows(tools []string) []table.Row {
	three, memory := []table.Limit{{Peer: Neo4jAdmin, Factor: 3}}, []table.Limit{{Factor: graphMemory}}
	return []table.Row{
		r.time(tools, CopyGraph, three), r.cpu(tools, CopyGraph), r.memory(tools, CopyGraph, memory),
		r.time(tools, PutBackGraph, three), r.cpu(tools, PutBackGraph), r.memory(tools, PutBackGraph, memory),
	}
}

func (r *Result) logRows(tools []string) []table.Row {
	little := []table.Limit{{Peer: Gzip, Factor: 0.05}}
	read := float64(measure.Middle(r.Bytes(linesRead, table.Subject)))
	return []table.Row{
		r.time(tools, CollectLogs, []table.Limit{{Peer: Gzip, Factor: 1}, {Factor: read / logRate}}), r.cpu(tools, CollectLogs), r.memory(tools, CollectLogs, nil),
		r.stored(tools, CollectLogs, "packed", nil),
		r.time(tools, GrownSome, little), r.cpu(tools, GrownSome),
		r.time(tools, GrownAll, little), r.cpu(tools, GrownAll),
	}
}

func (r *Result) exportRows(tools []string) []table.Row {
	return []table.Row{
		r.time(tools, ExportSheet, []table.Limit{{Peer: Workbooks, Factor: 1. / 3}}), r.cpu(tools, ExportSheet),
		r.memory(tools, ExportSheet, []table.Limit{{Factor: exportMemory}}), r.stored(tools, ExportSheet, "file", nil),
	}
}

func (r *Result) drillRows(tools []string) []table.Row {
	rows := []table.Row{r.time(tools, DrillStack, nil), r.time(tools, wayBack, nil)}
	for _, name := range r.stores {
		rows = append(rows, r.time(tools, rtoOf(name), nil))
	}
	return rows
}

func (r *Result) mergeRows(tools []string) []table.Row {
	faster := []table.Limit{{Peer: Pandas, Factor: 1.0 / 3}, {Peer: Polars, Factor: 0.5}, {Peer: Window, Factor: 0.7}}
	return []table.Row{
		r.time(tools, MergeRows, faster), r.cpu(tools, MergeRows),
		r.memory(tools, MergeRows, []table.Limit{{Factor: mergeMemory}}), r.stored(tools, MergeRows, "new file", nil),
	}
}

func (r *Result) cappedRows(tools []string) []table.Row {
	return []table.Row{r.time(tools, MergeCapped, nil), r.cpu(tools, MergeCapped), r.memory(tools, MergeCapped, nil), r.stored(tools, MergeCapped, "new file", nil)}
}

func (r *Result) documentRows(tools []string) (rows []table.Row) {
	for _, work := range []string{GuideChecks, AllChecks} {
		rows = append(rows,
			r.time(tools, work, []table.Limit{{Peer: PythonJSON, Factor: 1.0 / 3}}), r.cpu(tools, work),
			r.memory(tools, work, []table.Limit{{Peer: PythonJSON, Factor: 0.5}}))
	}
	return rows
}

func (r *Result) statusRows(tools []string) []table.Row {
	cpu := r.cpu(tools, RefreshStatus)
	cpu.Reach = []table.Limit{{Factor: refreshCPU}}
	return []table.Row{r.time(tools, RefreshStatus, nil), cpu, r.memory(tools, RefreshStatus, nil), r.cpu(tools, CollectStatus), r.cpu(tools, Version)}
}

// misgrouped is the mean over all sets, as comparisons of log parsers print it.
func (r *Result) misgrouped(tools []string, work string) table.Row {
	row := table.Row{Work: work, Measure: "in wrong groups", Unit: table.Share, Values: map[string]float64{}, Reach: []table.Limit{{Factor: 0.10}}}
	for _, tool := range tools {
		shares, sum := r.shares[key{work, tool}], 0.0
		for _, share := range shares {
			sum += share
		}
		if len(shares) > 0 {
			row.Values[tool] = sum / float64(len(shares))
		}
	}
	return row
}

func (r *Result) time(tools []string, work string, reach []table.Limit) table.Row {
	return r.costRow(tools, work, "time", table.Seconds, reach, func(c measure.Cost) float64 { return c.Wall.Seconds() })
}

func (r *Result) cpu(tools []string, work string) table.Row {
	return r.costRow(tools, work, "CPU time", table.Seconds, nil, func(c measure.Cost) float64 { return c.CPU.Seconds() })
}

func (r *Result) memory(tools []string, work string, reach []table.Limit) table.Row {
	return r.costRow(tools, work, "peak memory", table.Memory, reach, func(c measure.Cost) float64 { return float64(c.Peak) })
}

func (r *Result) costRow(tools []string, work, what string, unit table.Unit, reach []table.Limit, field func(measure.Cost) float64) table.Row {
	row := table.Row{Work: work, Measure: what, Unit: unit, Values: map[string]float64{}, Reach: reach}
	for _, tool := range tools {
		if runs := r.Runs(work, tool); len(runs) > 0 {
			row.Values[tool] = field(measure.Median(runs))
		}
	}
	return row
}

func (r *Result) added(tools []string, work string, reach []table.Limit) table.Row {
	return r.stored(tools, work, "added", reach)
}

func (r *Result) stored(tools []string, work, what string, reach []table.Limit) table.Row {
	row := table.Row{Work: work, Measure: what, Unit: table.Bytes, Values: map[string]float64{}, Reach: reach}
	for _, tool := range tools {
		if sizes := r.Bytes(work, tool); len(sizes) > 0 {
			row.Values[tool] = float64(measure.Middle(sizes))
		}
	}
	return row
}
