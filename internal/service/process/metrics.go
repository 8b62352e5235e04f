package process

import "github.com/prometheus/client_golang/prometheus"

// round shows one sample as process-exporter's metrics.
type round struct {
	group  string
	sample sample
}

// Describe sends nothing: the registry lives for one round.
func (r round) Describe(chan<- *prometheus.Desc) {}

// Collect sends every metric once.
func (r round) Collect(to chan<- prometheus.Metric) {
	s, c := r.sample, r.sample.counters
	gauge, counter := prometheus.GaugeValue, prometheus.CounterValue
	r.send(to, gauge, "num_procs", "number of processes in this group", float64(s.processes))
	r.send(to, gauge, "num_threads", "number of threads", float64(s.threads))
	r.send(to, gauge, "memory_bytes", "number of bytes of memory in use", s.resident, "memtype", "resident")
	r.send(to, gauge, "memory_bytes", "number of bytes of memory in use", s.virtual, "memtype", "virtual")
	r.send(to, gauge, "memory_bytes", "number of bytes of memory in use", s.swapped, "memtype", "swapped")
	r.send(to, gauge, "open_filedesc", "number of open file descriptors", s.files)
	r.send(to, gauge, "worst_fd_ratio", "the worst ratio between open fds and max fds among all procs in this group", s.worst)
	if s.oldest > 0 {
		r.send(to, gauge, "oldest_start_time_seconds", "start time in seconds since 1970/01/01 of oldest process in group", s.oldest)
	}
	for name, n := range s.states {
		r.send(to, gauge, "states", "number of processes in states Running, Sleeping, Waiting, Zombie, or Other", n, "state", name)
	}
	r.send(to, counter, "cpu_seconds_total", "cpu usage in seconds", c.user, "mode", "user")
	r.send(to, counter, "cpu_seconds_total", "cpu usage in seconds", c.system, "mode", "system")
	r.send(to, counter, "major_page_faults_total", "major page faults", c.major)
	r.send(to, counter, "minor_page_faults_total", "minor page faults", c.minor)
	r.send(to, counter, "context_switches_total", "context switches", c.voluntary, "ctxswitchtype", "voluntary")
	r.send(to, counter, "context_switches_total", "context switches", c.involuntary, "ctxswitchtype", "nonvoluntary")
	r.send(to, counter, "read_bytes_total", "number of bytes read by this group", c.readBytes)
	r.send(to, counter, "write_bytes_total", "number of bytes written by this group", c.writtenBytes)
}

// send takes one more label as name and value.
func (r round) send(to chan<- prometheus.Metric, t prometheus.ValueType, name, help string, value float64, label ...string) {
	names, values := []string{"groupname"}, []string{r.group}
	if len(label) == 2 {
		names, values = append(names, label[0]), append(values, label[1])
	}
	desc := prometheus.NewDesc("namedprocess_namegroup_"+name, help, names, nil)
	to <- prometheus.MustNewConstMetric(desc, t, value, values...)
}
