package compose

import (
	"context"
	"time"

	"github.com/moby/moby/client"

	"upkeep/internal/service"
)

// sizesEvery and sizesPatience bound what measuring volumes costs: the engine walks
// through every file of every volume. Between two measurements the last one stands.
const (
	sizesEvery    = time.Hour
	sizesPatience = 10 * time.Second
	checkPatience = 2 * time.Second // in a check, which has five seconds for all
)

// stateSizes is where the last measurement is kept.
const stateSizes = "volume-sizes"

// sizes is one measurement.
type sizes struct {
	At    time.Time        `json:"at"`
	Bytes map[string]int64 `json:"bytes"` // by volume; nil when the engine took too long
}

// volumeSizes emits the size of each declared volume. Where the engine took too long
// to tell, upkeep_compose_volumes_measured is 0 for the next hour and there are none.
func (in *Instance) volumeSizes(ctx context.Context, f families, p *project) error {
	last, err := in.measured(ctx, sizesPatience)
	if err != nil {
		return err
	}
	f.gauge("upkeep_compose_volumes_measured", "Whether the engine told the sizes of volumes in time.", truth(last.Bytes != nil), "project", p.Name)
	for key, volume := range p.Volumes {
		if size, ok := last.Bytes[volume.Name]; ok {
			f.gauge("upkeep_compose_volume_bytes", "Size of the volume, measured once an hour.", float64(size), "volume", volume.Name, "key", key, "project", p.Name)
		}
	}
	return nil
}

// volumeFacts records the size of each declared volume that is known.
func (in *Instance) volumeFacts(ctx context.Context, v *service.Verdict, p *project) error {
	last, err := in.measured(ctx, checkPatience)
	if err != nil {
		return err
	}
	facts := map[string]int64{}
	for key, volume := range p.Volumes {
		if size, ok := last.Bytes[volume.Name]; ok {
			facts[key] = size
		}
	}
	v.Set("volume_bytes", facts)
	return nil
}

// measured is the last measurement, or a new one when it is time.
func (in *Instance) measured(ctx context.Context, patience time.Duration) (last sizes, err error) {
	if err := in.recall(ctx, stateSizes, &last); err != nil {
		return last, err
	}
	if in.env.Now().Sub(last.At) < sizesEvery {
		return last, nil
	}
	if last, err = in.measure(ctx, patience); err != nil {
		return last, err
	}
	return last, in.remember(ctx, stateSizes, last)
}

func (in *Instance) measure(ctx context.Context, patience time.Duration) (sizes, error) {
	measured := sizes{At: in.env.Now()}
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	usage, err := in.engine.DiskUsage(patient, client.DiskUsageOptions{Volumes: true, Verbose: true})
	if patient.Err() != nil && ctx.Err() == nil {
		return measured, nil
	}
	if err != nil {
		return measured, in.failed("measure volumes", err)
	}
	measured.Bytes = map[string]int64{}
	for _, volume := range usage.Volumes.Items {
		if volume.UsageData != nil && volume.UsageData.Size >= 0 {
			measured.Bytes[volume.Name] = volume.UsageData.Size
		}
	}
	return measured, nil
}
