package catalogue_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"upkeep/internal/catalogue"
)

const text = `
findings:
  connections-high:
    en: {title: "{{.used}} of {{count .limit}} {{plural .limit \"connection\" \"connections\"}} in use", fix: "raise it on {{.target}}"}
    zh: {title: "已用 {{.used}}/{{count .limit}} 个连接", fix: "在 {{.target}} 上调高"}
  bloat:
    en: {title: "table {{quote .table}} is {{percent .share}} bloat ({{bytes .size}})", fix: "vacuum"}
    zh: {title: "表{{quote .table}}膨胀 {{percent .share}}({{bytes .size}})", fix: "清理"}
errors:
  old:
    en: {title: "too old", consequence: "nothing was copied", fix: "install {{.want}}"}
    zh: {title: "版本太旧", consequence: "没有复制任何内容", fix: "安装 {{.want}}"}
messages:
  waited:
    en: "waited {{duration .took}} until {{time .at}} for {{list .names}}{{if gt .took 60}}, too long{{end}}{{if eq .want \"psql\" \"pg_dump 15\"}}!{{end}}"
    zh: "等待 {{duration .took}} 至 {{time .at}}:{{list .names}}{{if gt .took 60}},太久{{end}}{{if eq .want \"psql\" \"pg_dump 15\"}}!{{end}}"
problems:
  "must be at least %d, is %q": "现为 %[2]q,至少应为 %[1]d"
`

func read(t *testing.T, source string) *catalogue.Catalogue {
	t.Helper()
	c, err := catalogue.New(catalogue.Source{Prefix: "pg", Text: []byte(source)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSaysFindingsErrorsAndMessagesInBothLanguages(t *testing.T) {
	c := read(t, text)
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	args := map[string]any{"used": 97, "limit": 1204, "target": "db", "table": "slices", "share": 0.43, "size": 1_900_000_000,
		"took": 130, "at": time.Date(2026, 11, 22, 2, 0, 0, 0, time.FixedZone("", 8*3600)), "names": []string{"a", "b"}, "want": "pg_dump 15"}
	for _, c2 := range []struct{ lang, want string }{
		{"en", `97 of 1,204 connections in use|raise it on db|table "slices" is 43 % bloat (1.9 GB)|waited 2 min 10 s until 2026-11-22 02:00 +08:00 for a, b, too long!|too old|nothing was copied|install pg_dump 15`},
		{"zh", `已用 97/1,204 个连接|在 db 上调高|表“slices”膨胀 43%(1.9 GB)|等待 2 分 10 秒 至 2026-11-22 02:00 +08:00:a、b,太久!|版本太旧|没有复制任何内容|安装 pg_dump 15`},
	} {
		if got := everything(c.Words(c2.lang), args); got != c2.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c2.lang, got, c2.want)
		}
		if got := everything(c.Words(c2.lang), throughJSON(t, args)); got != c2.want {
			t.Errorf("%s, after JSON:\ngot  %s\nwant %s", c2.lang, got, c2.want)
		}
	}
	if got := strings.Join(c.IDs(), " "); got != "pg.bloat pg.connections-high" {
		t.Errorf("IDs: %s", got)
	}
}

func everything(w catalogue.Words, args map[string]any) string {
	title, fix := w.Finding("pg.connections-high", args)
	bloat, _ := w.Finding("pg.bloat", args)
	lead, consequence, mend := w.Error("pg.old", args)
	return strings.Join([]string{title, fix, bloat, w.Message("pg.waited", args), lead, consequence, mend}, "|")
}

func throughJSON(t *testing.T, args map[string]any) (back map[string]any) {
	t.Helper()
	text, err := json.Marshal(args)
	if err == nil {
		err = json.Unmarshal(text, &back)
	}
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestNumbersStayReadable(t *testing.T) {
	c := read(t, `messages: {n: {en: "{{.n}}", zh: "{{.n}}"}}`)
	for _, n := range []struct {
		value any
		want  string
	}{
		{float64(12_345_678), "12345678"}, {0.30000000000000004, "0.3"}, {int64(5), "5"}, {json.Number("7"), "7"},
		{"a\x1b[31mred", `a\x1b[31mred`}, {"订单 \"x\"", "订单 \"x\""}, {"\u202egpj", `\u202egpj`}, {nil, "?"},
	} {
		if got := c.Words("en").Message("pg.n", map[string]any{"n": n.value}); got != n.want {
			t.Errorf("%v shows as %s, want %s", n.value, got, n.want)
		}
	}
}

func TestWhatIsMissingIsVisible(t *testing.T) {
	w := read(t, text).Words("en")
	if title, fix := w.Finding("pg.gone", nil); title != "!pg.gone" || fix != "" {
		t.Errorf("got %q %q", title, fix)
	}
	if title, _, _ := w.Error("pg.gone", nil); title != "!pg.gone" {
		t.Errorf("got %q", title)
	}
	if got := w.Message("pg.gone", nil); got != "!pg.gone" {
		t.Errorf("got %q", got)
	}
	if title, fix := w.Finding("pg.bloat", nil); title != `table "?" is ? bloat (?)` || fix != "vacuum" {
		t.Errorf("got %q %q", title, fix)
	}
}

func TestProblemsAreTranslatedByTheirFormat(t *testing.T) {
	c := read(t, text)
	for lang, want := range map[string]string{"en": `must be at least 3, is "x"`, "zh": `现为 "x",至少应为 3`} {
		if got := c.Words(lang).Sprintf("must be at least %d, is %q", 3, "x"); got != want {
			t.Errorf("%s: %s", lang, got)
		}
	}
	if got := c.Words("zh").Sprintf("not translated %d%%", 3); got != "not translated 3%" {
		t.Errorf("got %s", got)
	}
}

func TestCheckFindsEveryMistakeInATextAtOnce(t *testing.T) {
	c := read(t, `
findings:
  one-language: {en: {title: a, fix: b}}
  no-fix: {en: {title: a}, zh: {title: a}}
  other-fields: {en: {title: "{{.a}}", fix: b}, zh: {title: "{{if .a}}{{.b}}{{end}}", fix: b}}
  broken: {en: {title: "{{.a", fix: b}, zh: {title: "{{.a}}", fix: b}}
  french: {en: {title: a, fix: b}, zh: {title: a, fix: b}, fr: {title: a, fix: b}}
errors:
  no-consequence: {en: {title: a, fix: b}, zh: {title: a, fix: b}}
messages:
  unknown-func: {en: "{{shout .a}}", zh: "{{.a}}"}
problems:
  "at least %d": "至少 %s"
`)
	err := c.Check()
	if err == nil {
		t.Fatal("nothing was found")
	}
	for _, want := range []string{
		"pg.one-language: the title is missing in zh", "pg.no-fix: the fix is missing in en",
		"pg.other-fields: the title uses [a] in English and [a b] in Chinese", "pg.broken: title in en: ",
		`pg.french: "fr" is not a language`, "pg.no-consequence: the consequence is missing in en",
		`pg.unknown-func: title in en: `, `problem "at least %d"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q was not found in:\n%v", want, err)
		}
	}
}

func TestTextsThatHideEachOtherOrCannotBeReadAreFound(t *testing.T) {
	good := catalogue.Source{Prefix: "pg", Text: []byte(text)}
	for name, sources := range map[string][]catalogue.Source{
		"pg.bloat stands twice":    {good, good},
		`read the text of "redis"`: {good, {Prefix: "redis", Text: []byte("finding: {}")}},
	} {
		c, err := catalogue.New(sources...)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s was not found: %v", name, err)
		}
		if title, _ := c.Words("en").Finding("pg.bloat", nil); title == "!pg.bloat" {
			t.Errorf("%s: a source that reads well lost its words", name)
		}
	}
	if _, err := catalogue.New(catalogue.Source{Prefix: "pg"}); err == nil {
		t.Error("a source without text was taken")
	}
}

func TestLanguageOfTheReader(t *testing.T) {
	cases := []struct {
		name, flag, declared string
		env                  map[string]string
		want                 string
	}{
		{"asked for", "zh", "en", map[string]string{"LANG": "en_US.UTF-8"}, "zh"},
		{"locale name asked for", "zh_CN", "", nil, "zh"},
		{"locale before declaration", "", "zh", map[string]string{"LANG": "en_US.UTF-8"}, "en"},
		{"LC_ALL before LANG", "", "", map[string]string{"LC_ALL": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, "zh"},
		{"LC_MESSAGES before LANG", "", "", map[string]string{"LC_MESSAGES": "zh_CN", "LANG": "en_US.UTF-8"}, "zh"},
		{"C says nothing", "", "zh", map[string]string{"LANG": "C.UTF-8"}, "zh"},
		{"C in front hides LANG", "", "", map[string]string{"LC_ALL": "POSIX", "LANG": "zh_CN.UTF-8"}, "en"},
		{"nothing set", "", "zh", nil, "zh"},
		{"other languages read English", "", "zh", map[string]string{"LANG": "de_DE.UTF-8"}, "en"},
		{"nothing at all", "", "", nil, "en"},
	}
	for _, c := range cases {
		if got := catalogue.Language(c.flag, c.declared, func(name string) string { return c.env[name] }); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
