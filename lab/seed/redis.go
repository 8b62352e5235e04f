package seed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// batch keys go in one pipeline, so that memory stays bounded.
const batch = 500

// fillRedis writes what an application of this kind leaves there: sessions, caches
// and task results that expire, and a few structures that do not.
func (g generator) fillRedis(ctx context.Context, url string) (keys int64, err error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return 0, err
	}
	client := redis.NewClient(options)
	defer func() { err = errors.Join(err, client.Close()) }()
	for n := 0; n < g.seed.Keys; n += batch {
		pipe := client.Pipeline()
		for i := n; i < min(n+batch, g.seed.Keys); i++ {
			g.key(ctx, pipe, g.row("redis", i))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return 0, err
		}
	}
	return client.DBSize(ctx).Result()
}

// key writes key number r.n: of ten keys three are sessions, three task results,
// three cached answers, and one adds to a structure that stays.
func (g generator) key(ctx context.Context, pipe redis.Pipeliner, r row) {
	s := g.sizes()
	switch r.n % 10 {
	case 0, 1, 2:
		key := "session:" + r.hex(32)
		pipe.HSet(ctx, key, "user_id", r.of("users", s.users), "ip", fmt.Sprintf("10.0.%d.%d", r.IntN(250), r.IntN(250)), "csrf", r.hex(24), "lang", r.pick("zh", "zh", "en"))
		pipe.Expire(ctx, key, time.Duration(1+r.IntN(7*24))*time.Hour)
	case 3, 4, 5:
		id := g.id("celery", r.n)
		pipe.Set(ctx, "celery-task-meta-"+id, fmt.Sprintf(`{"status": "SUCCESS", "result": {"slices": %d}, "traceback": null, "children": [], "task_id": %q}`, r.IntN(300), id), 24*time.Hour)
	case 6, 7, 8:
		pipe.Set(ctx, fmt.Sprintf("cache:slice:%s", g.id("slices", r.n)), r.text(3), time.Duration(10+r.IntN(600))*time.Minute)
	default:
		g.lasting(ctx, pipe, r)
	}
}

func (g generator) lasting(ctx context.Context, pipe redis.Pipeliner, r row) {
	s := g.sizes()
	pipe.ZAdd(ctx, "ranking:annotators", redis.Z{Score: float64(r.IntN(9000)), Member: r.of("users", s.users)})
	pipe.RPush(ctx, "notifications:"+r.of("users", s.users), r.text(1))
	pipe.SAdd(ctx, "projects:active", r.of("projects", s.projects))
	pipe.HIncrBy(ctx, "stats:ocr", r.pick("completed", "failed", "pending"), 1)
	pipe.XAdd(ctx, &redis.XAddArgs{Stream: "events:tasks", Values: map[string]any{"task": g.id("celery", r.n), "step": r.pick("start", "done")}})
	pipe.Set(ctx, fmt.Sprintf("settings:project:%s", r.of("projects", s.projects)), `{"llm": "deepseek-chat", "ocr": "mineru"}`, 0)
}
