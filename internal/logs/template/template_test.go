package template_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/bench/corpus"
	"upkeep/internal/logs/template"
)

// mine returns the patterns of some messages, the most frequent first.
func mine(messages ...string) []string {
	m := template.New(template.Options{})
	for _, text := range messages {
		m.Add([]byte(text), time.Time{})
	}
	var patterns []string
	for _, t := range m.Report().Templates {
		patterns = append(patterns, t.Pattern)
	}
	return patterns
}

func TestVariablesAreTakenOut(t *testing.T) {
	for text, want := range map[string]string{
		"took 15 ms":       "took <*>",
		"block blk_-38865": "block <*>",
		"src: /10.251.73.220:42557 dest: /10.0.0.1:5":        "src: <*> dest: <*>",
		"id=7 user=root rhost= tty=ssh":                      "id=<*> user=<*> rhost=<*> tty=<*>",
		"mode = fast, tries = 3":                             "mode = <*>, tries = <*>",
		"task 414f4b2e-dc67-4eae-7c22-cf1eec0f4749 received": "task <*> received",
		"read /var/lib/upkeep/a.json":                        "read <*>",
		"read/write error":                                   "read/write error",
		"GET http://db.internal:8080/a?b=c: refused":         "GET <*>: refused",
		`file "a b.pdf" uploaded`:                            "file <*> uploaded",
		`"GET /api/v1/x?a=1 HTTP/1.1" 200`:                   `"GET <*>`,
		"can't open it, don't ask":                           "can't open it, don't ask",
		"groups: wheel, docker, sudo":                        "groups: <*>",
		"groups [1, 2, 3] and []":                            "groups [<*>] and [<*>]",
		"sent 1301 bytes (1.27 KB) now":                      "sent <*> now",
		"lifetime <1 sec":                                    "lifetime <*>",
		"第3页处理完成，耗时1.5秒":                                     "第<*>页处理完成，耗时<*>秒",
		"用户“张三”提交":                                           "用户<*>提交",
		"at Fri Jul  1 02:11:12 2005":                        "at <*>",
		"connect proxy.example.com:5070 failed":              "connect <*> failed",
		"ready: true":                                        "ready: <*>",
		`event {"a": 1, "b": 2} seen`:                        "event {<*>} seen",
		"========== start ==========":                        "========== start ==========",
		"from root@example.com":                              "from <*>",
		"from 00:11:43:e3:ba:c3 and ba:dc:43:e3:ba:c4 off":   "from <*> and <*> off",
		"Fan speeds ( 3552 **** 4245 )":                      "Fan speeds ( <*> )",
		"0xdeadbeef deadbeef cafebabe":                       "<*>",
		"reset. Trying to re-establish.":                     "reset. Trying to re-establish.",
	} {
		if got := mine(text); len(got) != 1 || got[0] != want {
			t.Errorf("%s\n got %q\nwant %q", text, got, want)
		}
	}
}

func each(format string, words ...string) []string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = fmt.Sprintf(format, w)
	}
	return all
}

func TestWordsThatVaryAreVariablesAndOthersAreNot(t *testing.T) {
	names := strings.Fields("ann bob cid dan eve fay gus hal ida jon")
	for name, c := range map[string]struct {
		messages []string
		want     int // templates
	}{
		"two names behind a word that announces them": {each("session opened for user %s", "root", "bob"), 1},
		"states behind the same":                      {each("session for user %s", "opened", "closed"), 2},
		"what happened":                               {each("VM %s (Lifecycle Event)", "Started", "Stopped", "Paused"), 3},
		"three plain words":                           {each("colour %s chosen", "red", "green", "blue"), 3},
		"ten plain words":                             {each("colour %s chosen", names...), 1},
		"a word beside numbers":                       {append(each("slot %s taken", "1", "22"), "slot main taken"), 1},
		"values of an enumeration":                    {each("task went from %s to DONE", "NEW", "RUNNING"), 1},
		"ten words alone":                             {names, 10},
		"names in front":                              {each("%s has left the room", names...), 1},
		"names of several words":                      {append(each("user %s was told", names...), "user John Frank Smith was told"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := mine(c.messages...); len(got) != c.want {
				t.Errorf("%d templates; want %d: %q", len(got), c.want, got)
			}
		})
	}
}

func TestTwoVariablesThatNeverRepeatAreFoundTogether(t *testing.T) {
	var messages []string
	for i := range 12 {
		messages = append(messages, fmt.Sprintf("copy from %c%c to %c%c has started", 'a'+i, 'q', 'z'-i, 'k'))
	}
	if got := mine(messages...); !slices.Equal(got, []string{"copy from <*> to <*> has started"}) {
		t.Errorf("got %q", got)
	}
}

func TestFreeTextBehindAFixedStartIsOneTemplate(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var messages []string
	for range 200 {
		text := "remark of reader:"
		for range 2 + rng.IntN(6) {
			text += " " + word(rng)
		}
		messages = append(messages, text)
	}
	got := mine(messages...)
	if len(got) != 1 || got[0] != "remark of reader ..." {
		t.Errorf("%d templates, first %q; want one", len(got), got[0])
	}
}

func word(rng *rand.Rand) string {
	b := make([]byte, 3+rng.IntN(5))
	for i := range b {
		b[i] = byte('g' + rng.IntN(20))
	}
	return string(b)
}

func TestCountsTimesAndSampleAreKept(t *testing.T) {
	m := template.New(template.Options{})
	at := time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)
	for _, minute := range []int{5, 1, 9} { // lines come out of order
		m.Add(fmt.Appendf(nil, "minute %d", minute), at.Add(time.Duration(minute)*time.Minute))
	}
	want := template.Template{Pattern: "minute <*>", Count: 3, First: at.Add(time.Minute), Last: at.Add(9 * time.Minute), Sample: "minute 5"}
	got := m.Report().Templates
	if len(got) != 1 || got[0].Pattern != want.Pattern || got[0].Count != want.Count || !got[0].First.Equal(want.First) ||
		!got[0].Last.Equal(want.Last) || got[0].Sample != want.Sample {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestFormsAreBoundedAndWhatIsGivenUpIsSaid(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	m := template.New(template.Options{MaxForms: 100})
	for range 5000 {
		m.Add([]byte("steady message"), time.Time{})
		m.Add([]byte(word(rng)+word(rng)), time.Time{})
	}
	r := m.Report()
	if len(r.Templates) > 101 || r.Other == 0 || r.GaveUp == 0 {
		t.Errorf("%d templates, %d messages of %d forms given up; want at most 101, and the rest counted", len(r.Templates), r.Other, r.GaveUp)
	}
	var sum, steady int64
	for _, tm := range r.Templates {
		sum += tm.Count
		if tm.Pattern == "steady message" {
			steady = tm.Count
		}
	}
	if sum != 10_000 || steady != 5000 {
		t.Errorf("%d messages, %d of the frequent form; want 10,000 and 5,000", sum, steady)
	}
}

func TestAKnownTemplateIsFoundAgainAlsoWithFewMessages(t *testing.T) {
	m := template.New(template.Options{}, "user <*> has left", "never seen")
	m.Add([]byte("user ann has left"), time.Time{})
	got := m.Report().Templates
	if len(got) != 1 || got[0].Pattern != "user <*> has left" || !slices.Equal(got[0].Known, []string{"user <*> has left"}) {
		t.Errorf("got %+v", got)
	}
}

func TestAKnownVariableDoesNotTakeWhatHappened(t *testing.T) {
	m := template.New(template.Options{}, "replica <*> now")
	m.Add([]byte("replica db now"), time.Time{})
	m.Add([]byte("replica lost now"), time.Time{})
	got := m.Report().Templates
	if len(got) != 2 || got[0].Pattern != "replica <*> now" || got[1].Pattern != "replica lost now" {
		t.Errorf("got %+v; want what happened apart", got)
	}
}

func TestASetTakesWhatItsPatternsTake(t *testing.T) {
	s := template.NewSet("user <*> left", "remark of reader ...")
	for text, want := range map[string]bool{
		"user ann left": true, "user 17 left": true, "user <*> left": true, "user ann stayed": false, "user ann left early": false,
		"remark of reader: what a day": true, "remark of nobody": false, "<*> ann left": false,
	} {
		if s.Contains(text) != want {
			t.Errorf("%s: %v; want %v", text, !want, want)
		}
	}
}

// A pattern is kept as text and read again in the next run.
func TestAPatternReadAsAMessageIsTheSameForm(t *testing.T) {
	systems, err := corpus.LogSystems()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range systems {
		m := template.New(template.Options{})
		for _, line := range s.Messages(3, 3000) {
			m.Add(line, time.Time{})
		}
		for _, tm := range m.Report().Templates {
			if again := mine(tm.Pattern); !strings.HasSuffix(tm.Pattern, " ...") && again[0] != tm.Pattern {
				t.Errorf("%s: %q became %q", s.Name, tm.Pattern, again[0])
			}
		}
	}
}

func FuzzMiner(f *testing.F) {
	for _, s := range []string{"a=b c='d' [1, 2] {}", `x "GET /a" "k": 1`, "..a.. <1 (2 KB)", "用户“张三”，3页", "a, b, c"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		m := template.New(template.Options{MaxForms: 2, Track: true})
		ids := []template.ID{m.Add([]byte(a), time.Time{}), m.Add([]byte(b), time.Time{}), m.Add([]byte(a), time.Time{})}
		r := m.Report()
		var sum int64
		for _, tm := range r.Templates {
			sum += tm.Count
		}
		if sum != 3 || r.Group(ids[0]) != r.Group(ids[2]) {
			t.Errorf("%d messages; the first is in group %d, then in %d", sum, r.Group(ids[0]), r.Group(ids[2]))
		}
	})
}
