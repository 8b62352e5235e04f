// Command refresh takes the numbers of a store as upkeep's collecting does and prints what
// one time costs within the process: the start of a program would hide it.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"

	dto "github.com/prometheus/client_model/go"

	"upkeep/bench/corpus"
	"upkeep/internal/service"
	"upkeep/internal/service/dataset"
)

// times is how often they are taken: one time is too short to be measured.
const times = 100

// said is what is printed. Times are in seconds.
type said struct {
	Rows int     `json:"rows"`
	CPU  float64 `json:"cpu"`
	Wall float64 `json:"wall"`
}

func main() {
	out, err := run(context.Background(), os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "refresh:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string) (out said, err error) {
	in := dataset.New(service.Env{Target: "results", Now: time.Now}, dir, declared)
	start, before := time.Now(), cpu()
	for range times {
		err := in.Collect(ctx, func(f *dto.MetricFamily) {
			if f.GetName() == "dataset_rows" {
				out.Rows = int(f.GetMetric()[0].GetGauge().GetValue())
			}
		})
		if err != nil {
			return out, err
		}
	}
	out.CPU, out.Wall = (cpu()-before)/times, time.Since(start).Seconds()/times
	return out, in.Close()
}

func declared(context.Context, string) (dataset.Config, []service.Finding, error) {
	columns := map[string]dataset.Column{}
	for _, c := range corpus.TableColumns() {
		columns[c.Name] = dataset.Column(c.Type)
	}
	return dataset.Config{Tables: map[string]dataset.Table{"results": {Files: []string{corpus.MainFile}, Columns: columns, Key: corpus.TableKey(),
		Increments: dataset.Increments{Files: []string{corpus.IncrementFiles + "/*.parquet"}}}}}, nil, nil
}

// cpu is what this process has taken so far.
func cpu() float64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail for oneself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
