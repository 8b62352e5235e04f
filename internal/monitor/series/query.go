package series

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
)

// Series is what an expression gives: one point at one time, or several over a span.
type Series struct {
	Labels map[string]string
	Points []Point
}

// Point is one value.
type Point struct {
	At    time.Time
	Value float64
}

// Query asks for the values at one time.
func (s *Store) Query(ctx context.Context, expr string, at time.Time) ([]Series, error) {
	q, err := s.asked.NewInstantQuery(ctx, s.storage, nil, expr, at)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	return answer(ctx, q)
}

// QueryRange asks for the values from one time to another.
func (s *Store) QueryRange(ctx context.Context, expr string, from, to time.Time, step time.Duration) ([]Series, error) {
	q, err := s.asked.NewRangeQuery(ctx, s.storage, nil, expr, from, to, step)
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", expr, err)
	}
	return answer(ctx, q)
}

func answer(ctx context.Context, q promql.Query) ([]Series, error) {
	defer q.Close()
	result := q.Exec(ctx)
	if result.Err != nil {
		return nil, fmt.Errorf("query %s: %w", q, result.Err)
	}
	switch v := result.Value.(type) {
	case promql.Vector:
		return ofVector(v), nil
	case promql.Matrix:
		return ofMatrix(v), nil
	case promql.Scalar:
		return []Series{{Points: []Point{{time.UnixMilli(v.T), v.V}}}}, nil
	}
	return nil, fmt.Errorf("query %s: gives no series", q)
}

func ofVector(v promql.Vector) []Series {
	all := make([]Series, 0, len(v))
	for _, sample := range v {
		if sample.H == nil {
			all = append(all, Series{named(sample.Metric), []Point{{time.UnixMilli(sample.T), sample.F}}})
		}
	}
	return all
}

func ofMatrix(m promql.Matrix) []Series {
	all := make([]Series, 0, len(m))
	for _, one := range m {
		points := make([]Point, len(one.Floats))
		for i, p := range one.Floats {
			points[i] = Point{time.UnixMilli(p.T), p.F}
		}
		all = append(all, Series{named(one.Metric), points})
	}
	return all
}

func named(l labels.Labels) map[string]string { return l.Map() }
