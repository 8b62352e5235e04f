package dataset

import (
	"os"
	"testing"

	"upkeep/internal/service"
	"upkeep/internal/service/servicetest"
)

func TestConformance(t *testing.T) {
	servicetest.Run(t, Kind, func(t *testing.T) servicetest.Fixture {
		l := lay(t)
		move := func(from, to string) func(*testing.T) {
			return func(t *testing.T) {
				if err := os.Rename(from, to); err != nil {
					t.Fatal(err)
				}
			}
		}
		l.cfg.Locks = []string{"master.lock"}
		l.write("master.lock", "")
		l.parquet("incremental/a.parquet", "SELECT 'gpt' AS model, 'cot' AS prompt, 3 AS total, 3 AS full_success, 0 AS partial")
		return servicetest.Fixture{Env: l.env, Config: &l.cfg, Stop: move(l.dir, l.dir+"-away"), Start: move(l.dir+"-away", l.dir), Only: "results",
			Damage: func(t *testing.T, scratch service.Instance) {
				l.at(scratch.(*Instance).dir).parquet("results.parquet", `SELECT * FROM (VALUES ('Qwen', 'cot', 3, 1, 1), ('Qwen', '最优', 4, 1, 0), ('gpt', 'cot', 3, 2, 0)) t(model, prompt, total, full_success, partial)`)
			}}
	})
}
