package corpus

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

type slotFunc = func(b []byte, rng *rand.Rand) []byte

// logSlots returns what fills a slot, nil for a name that is none.
func logSlots(name string) slotFunc {
	if f := numberSlots(name); f != nil {
		return f
	}
	if f := nameSlots(name); f != nil {
		return f
	}
	return compoundSlots(name)
}

func number(limit int64) slotFunc {
	return func(b []byte, rng *rand.Rand) []byte { return strconv.AppendInt(b, rng.Int64N(limit), 10) }
}

func numberSlots(name string) slotFunc {
	switch name {
	case "digit":
		return number(8)
	case "small":
		return number(64)
	case "int":
		return func(b []byte, rng *rand.Rand) []byte { return fmt.Appendf(b, "%d", rng.Int64N(1<<(2+rng.IntN(24)))) }
	case "port":
		return func(b []byte, rng *rand.Rand) []byte { return fmt.Appendf(b, "%d", 1024+rng.IntN(60000)) }
	case "bigint":
		return func(b []byte, rng *rand.Rand) []byte { return fmt.Appendf(b, "%d", int64(rng.Uint64())) }
	case "float":
		return func(b []byte, rng *rand.Rand) []byte {
			return fmt.Appendf(b, "%.*f", 1+rng.IntN(3), rng.ExpFloat64()*40)
		}
	case "pct":
		return func(b []byte, rng *rand.Rand) []byte { return fmt.Appendf(b, "%.1f%%", rng.Float64()*100) }
	case "bool":
		return choice("true", "false")
	case "status":
		return choice("200", "200", "201", "204", "304", "404", "422", "500", "502")
	case "hex":
		return func(b []byte, rng *rand.Rand) []byte { return fmt.Appendf(b, "%x", rng.Uint64()>>rng.IntN(40)) }
	case "hex8":
		return func(b []byte, rng *rand.Rand) []byte { return fmt.Appendf(b, "%08x", rng.Uint32()) }
	case "hex32":
		return func(b []byte, rng *rand.Rand) []byte { return fmt.Appendf(b, "%016x%016x", rng.Uint64(), rng.Uint64()) }
	case "hex64":
		return func(b []byte, rng *rand.Rand) []byte {
			return fmt.Appendf(b, "%016x%016x%016x%016x", rng.Uint64(), rng.Uint64(), rng.Uint64(), rng.Uint64())
		}
	case "uuid":
		return func(b []byte, rng *rand.Rand) []byte {
			return fmt.Appendf(b, "%08x-%04x-4%03x-%04x-%012x", rng.Uint32(), rng.IntN(1<<16), rng.IntN(1<<12), rng.IntN(1<<16), rng.Uint64()>>16)
		}
	case "ip":
		return func(b []byte, rng *rand.Rand) []byte {
			return fmt.Appendf(b, "%d.%d.%d.%d", 1+rng.IntN(254), rng.IntN(256), rng.IntN(256), rng.IntN(256))
		}
	case "version":
		return func(b []byte, rng *rand.Rand) []byte {
			return fmt.Appendf(b, "%d.%d.%d", rng.IntN(20), rng.IntN(30), rng.IntN(20))
		}
	case "date":
		return stamp("Mon Jan _2 15:04:05 2006")
	case "isodate":
		return stamp("2006-01-02 15:04:05.000")
	case "clftime":
		return stamp("02/Jan/2006:15:04:05 -0700")
	case "clock":
		return stamp("15:04:05.000")
	}
	return nil
}

func stamp(layout string) slotFunc {
	return func(b []byte, rng *rand.Rand) []byte {
		return base.Add(time.Duration(rng.Int64N(int64(90*24*time.Hour)))).AppendFormat(b, layout)
	}
}

func choice(from ...string) slotFunc {
	return func(b []byte, rng *rand.Rand) []byte { return append(b, from[rng.IntN(len(from))]...) }
}

// syllables make names that have no digits: the hard variables.
var syllables = strings.Fields("ba co di fu ga ho ki la me no pe qui ro sa te ul vo wen xi yo zha lin mor tan ger dal bri")

func made(b []byte, rng *rand.Rand) []byte {
	for range 2 + rng.IntN(2) {
		b = append(b, syllables[rng.IntN(len(syllables))]...)
	}
	return b
}

func nameSlots(name string) slotFunc {
	switch name {
	case "user":
		return either(choice("root", "admin", "test", "guest", "oracle", "postgres", "cotuser"), made, form("{word}{small}"))
	case "word":
		return made
	case "hostname":
		return either(choice("db", "web", "worker", "localhost"), form("{word}-{small}"), made)
	case "fqdn":
		return form("{word}.{word}.{word}")
	case "hostorip":
		return either(form("{fqdn}"), form("{ip}"))
	case "module":
		return either(made, form("{word}_{word}"), form("{word}-{word}"))
	case "ident":
		return form("{word}.{word}.{camel}")
	case "package":
		return form("com.{word}.{word}")
	case "camel":
		return func(b []byte, rng *rand.Rand) []byte {
			for range 2 {
				at := len(b)
				b = made(b, rng)
				b[at] -= 'a' - 'A'
			}
			return b
		}
	case "proc":
		return choice("java", "python", "postgres", "node", "celery", "redis-server")
	case "unitname":
		return choice("Daily apt download activities", "Session of user root", "Redis data store", "PostgreSQL RDBMS", "Rotate log files", "Clean php session files", "Docker Application Container Engine", "OpenBSD Secure Shell server")
	case "db":
		return choice("cotdb", "postgres", "neo4j", "shop", "analytics")
	case "table":
		return choice("tasks", "users", "cot_items", "kg_entities", "audit_logs", "slices", "export_tasks")
	case "column":
		return either(choice("timestamp", "role", "status"), form("{word}_{word}"))
	case "model":
		return choice("qwen2.5-72b", "deepseek-v3", "gpt-4o-mini", "llama-3.3-70b", "kimi-k2")
	case "unit":
		return choice("B", "KB", "MB", "GB")
	case "agent":
		return choice("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36", "curl/7.88.1", "python-requests/2.31.0", "kube-probe/1.28", "-")
	case "cnname":
		return choice("张三", "李四", "王小明", "赵敏", "欧阳锋", "刘洋", "陈静", "杨柳", "周杰", "吴磊", "郑爽", "孙莉", "马超", "朱婷", "胡军")
	case "cnwords":
		return choice("磁盘空间不足", "连接超时", "格式不支持", "权限不够", "找不到文件")
	case "words":
		return choice("connection reset by peer", "timed out", "invalid header", "unexpected end of file", "no route to host", "quota exceeded", "stale handle")
	case "sql":
		return either(form("id, name FROM {table} WHERE id = {int}"), form("count(*) FROM {table}"), form("status = '{word}' WHERE id = {int}"))
	}
	return nil
}

func either(of ...slotFunc) slotFunc {
	return func(b []byte, rng *rand.Rand) []byte { return of[rng.IntN(len(of))](b, rng) }
}

func form(text string) slotFunc {
	return func(b []byte, rng *rand.Rand) []byte { return fill(b, text, rng) }
}

func compoundSlots(name string) slotFunc {
	switch name {
	case "ipport":
		return form("{ip}:{port}")
	case "pid":
		return form("{small}.{int}.{digit}")
	case "dur":
		return either(form("{int}ms"), form("{float}s"), form("{float} seconds"), form("{digit}m{small}s"))
	case "lifetime":
		return either(choice("<1 sec"), form("{small}:{small}"), form("{small}:{small}:{small}"))
	case "size":
		return form("{float}{unit}")
	case "path":
		return either(form("/var/lib/{word}/{word}"), form("/{word}/{word}-{small}"), form("/opt/{word}/{word}/{word}.conf"))
	case "wpath":
		return form(`C:\Windows\{word}\{word}.dll`)
	case "file":
		return either(form("{word}-{int}.log"), form("{word}_{small}.parquet"), form("{word}.pdf"))
	case "urlpath":
		return either(form("/api/v1/{word}/{int}"), form("/{word}?id={int}&q={word}"), form("/"), form("/health"))
	case "urlkey":
		return form("projects/{uuid}/files/{hex8}_{file}")
	case "url":
		return form("http://{fqdn}:{port}{urlpath}")
	case "key":
		return form("{word}:{word}:{int}")
	case "image":
		return form("docker.io/library/{word}:{version}")
	case "podname":
		return form("{word}-{hex8}-{word}")
	case "ns":
		return choice("default", "kube-system", "monitoring", "shop")
	case "b64":
		return func(b []byte, rng *rand.Rand) []byte {
			const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			for range 22 {
				b = append(b, letters[rng.IntN(len(letters))])
			}
			return b
		}
	case "quoted":
		return either(form(`"{word} {word}.pdf"`), form(`"{word}"`), form(`"{word} {int} {word} {word}"`))
	case "dict":
		return either(form("{'{word}': {int}}"), form("{'{word}': '{words}', '{word}': {float}}"), form("{}"))
	case "ints":
		return list(number(5000), ",")
	case "ilist":
		return list(number(9), ",")
	case "wlist":
		return list(made, ", ")
	case "flist":
		return list(form("{file}"), "，")
	}
	return nil
}

func list(item slotFunc, between string) slotFunc {
	return func(b []byte, rng *rand.Rand) []byte {
		b = item(b, rng)
		for range rng.IntN(4) {
			b = item(append(b, between...), rng)
		}
		return b
	}
}
