package compose

import (
	"context"
	"time"

	"github.com/moby/moby/client"
)

// sizesEvery and sizesPatience bound what measuring volumes costs: the engine walks
// through every file of every volume. Between two measurements the last one stands.
const (
	sizesEvery    = time.Hour
	sizesPatience = 10 * time.Second
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
	var last sizes
	if err := in.recall(ctx, stateSizes, &last); err != nil {
		return err
	}
	if in.env.Now().Sub(last.At) >= sizesEvery {
		var err error
		if last, err = in.measure(ctx); err != nil {
			return err
		}
		if err := in.remember(ctx, stateSizes, last); err != nil {
			return err
		}
	}
	f.gauge("upkeep_compose_volumes_measured", "Whether the engine told the sizes of volumes in time.", truth(last.Bytes != nil), "project", p.Name)
	for key, volume := range p.Volumes {
		if size, ok := last.Bytes[volume.Name]; ok {
			f.gauge("upkeep_compose_volume_bytes", "Size of the volume, measured once an hour.", float64(size), "volume", volume.Name, "key", key, "project", p.Name)
		}
	}
	return nil
}

func (in *Instance) measure(ctx context.Context) (sizes, error) {
	measured := sizes{At: in.env.Now()}
	patient, cancel := context.WithTimeout(ctx, sizesPatience)
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
