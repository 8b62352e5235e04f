package series

import "context"

// Compact makes a block of what is old enough, as happens by itself each few minutes.
func Compact(s *Store) error {
	p, done := s.samples.lend()
	defer done()
	return p.disk.Compact(context.Background())
}

// PrometheusVersion is what clients are told.
const PrometheusVersion = prometheusVersion
