package maintain

import (
	"bytes"
	"encoding/json"
	"slices"

	"upkeep/internal/inventory"
	"upkeep/internal/service"
)

// Holds reports whether a plan can be done although another one would be made now: every
// target whose steps are others by now tolerates that.
func (m Maintain) Holds(planned, now []service.Step) (bool, error) {
	if !same(of(planned, ""), of(now, "")) {
		return false, nil
	}
	for _, t := range m.Targets {
		was, is := of(planned, t.Name), of(now, t.Name)
		if same(was, is) {
			continue
		}
		holds, err := tolerated(t, was, is)
		if err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

// of are the steps of one target.
func of(steps []service.Step, target string) []service.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s service.Step) bool { return s.Target != target })
}

func same(a, b []service.Step) bool {
	first, err := json.Marshal(a)
	second, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(first, second)
}

func tolerated(t inventory.Target, was, is []service.Step) (bool, error) {
	in, err := t.Open()
	if err != nil {
		return false, err
	}
	tolerant, can := in.(service.Tolerant)
	planned, err := unwrapped(was)
	if err != nil {
		return false, err
	}
	now, err := unwrapped(is)
	if err != nil {
		return false, err
	}
	return can && tolerant.Tolerates(planned, now), in.Close()
}

func unwrapped(steps []service.Step) (own []service.Step, err error) {
	for _, s := range steps {
		step, err := unwrap(s)
		if err != nil {
			return nil, err
		}
		own = append(own, step)
	}
	return own, nil
}
