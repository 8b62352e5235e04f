// Package catalogue turns message IDs and arguments into words, in English and
// Chinese. It holds no words itself: every package that speaks brings a text.yaml
// and its prefix.
//
// A text.yaml has four sections. Findings need a title and a fix; errors a title,
// a consequence and a fix; problems translate the formats of diag.Problem, whose
// English is its own key; anything else is a message. Both languages stand side
// by side and use the same arguments:
//
//	findings:
//	  connections-high:
//	    en: {title: "{{.used}} of {{.limit}} connections in use", fix: "…"}
//	    zh: {title: "已用 {{.used}}/{{.limit}} 个连接", fix: "…"}
//	errors:
//	  pg-dump-too-old:
//	    en: {title: "…", consequence: "…", fix: "…"}
//	    zh: {…}
//	messages:
//	  restore-table:
//	    en: "restore table {{.table}}"
//	    zh: "恢复表 {{.table}}"
//	problems:
//	  "must be at least %d, is %d": "至少为 %d,现为 %d"
//
// Templates are text/template with: bytes (1.9 GB), duration (4 min), percent
// (0.43 → 43 %), count (1,204), time, list (a, b), quote and plural
// ({{plural .n "file" "files"}}). Numbers compare whatever their Go type is. An
// argument that is missing shows as "?", an ID that is missing as "!ID".
//
// Whoever shows a finding adds target and subject to its arguments, so a fix may
// say "upkeep maintain {{.target}}".
package catalogue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// Languages are what every text is written in.
func Languages() []string { return []string{"en", "zh"} }

// Source is one text.yaml. Its IDs get the prefix and a dot put before them;
// several sources may share a prefix, but no ID.
type Source struct {
	Prefix string
	Text   []byte
}

// entry is one finding or error in one language. A message is only a title.
type entry struct {
	Title       string `yaml:"title"`
	Consequence string `yaml:"consequence"`
	Fix         string `yaml:"fix"`
}

// entries are by ID, then by language.
type entries map[string]map[string]entry

type textFile struct {
	Findings entries                      `yaml:"findings"`
	Errors   entries                      `yaml:"errors"`
	Messages map[string]map[string]string `yaml:"messages"`
	Problems map[string]string            `yaml:"problems"`
}

// texts are one source as it was read.
type texts struct {
	findings, errors, messages entries
	problems                   map[string]string // English format → Chinese format
}

// source is read when the first of its words is needed: a command says few of
// all words, and reading them all would take most of its start.
type source struct {
	prefix string
	read   func() (texts, error)
}

// Catalogue is all words of the program. It does not change once it is made, and
// is safe for concurrent use.
type Catalogue struct {
	sources   []source
	templates sync.Map // *template.Template by spoken; at most one for each text and language
}

// spoken is a text of a language.
type spoken struct{ lang, text string }

// New takes the sources. It refuses one that is empty; what else a person can get
// wrong in a text is told by Check, which a test calls.
func New(sources ...Source) (*Catalogue, error) {
	c := &Catalogue{}
	for _, s := range sources {
		if len(s.Text) == 0 {
			return nil, fmt.Errorf("the text of %q is empty", s.Prefix)
		}
		c.sources = append(c.sources, source{s.Prefix, sync.OnceValues(func() (texts, error) { return readText(s) })})
	}
	return c, nil
}

func readText(s Source) (texts, error) {
	var file textFile
	if err := yaml.UnmarshalWithOptions(s.Text, &file, yaml.DisallowUnknownField()); err != nil {
		return texts{}, fmt.Errorf("read the text of %q: %w", s.Prefix, err)
	}
	messages := entries{}
	for id, byLanguage := range file.Messages {
		messages[id] = map[string]entry{}
		for lang, text := range byLanguage {
			messages[id][lang] = entry{Title: text}
		}
	}
	return texts{complete(s.Prefix, file.Findings), complete(s.Prefix, file.Errors), complete(s.Prefix, messages), file.Problems}, nil
}

func complete(prefix string, short entries) entries {
	if prefix == "" {
		return short
	}
	full := entries{}
	for id, byLanguage := range short {
		full[prefix+"."+id] = byLanguage
	}
	return full
}

// sections of a source, as find wants them.
func ofFindings(t texts) entries { return t.findings }
func ofErrors(t texts) entries   { return t.errors }
func ofMessages(t texts) entries { return t.messages }

// find returns the words of an ID. A source that cannot be read has none.
func (c *Catalogue) find(section func(texts) entries, id, lang string) (entry, bool) {
	for _, s := range c.sources {
		if s.prefix != "" && !strings.HasPrefix(id, s.prefix+".") {
			continue
		}
		if read, err := s.read(); err == nil {
			if found, ok := section(read)[id][lang]; ok {
				return found, true
			}
		}
	}
	return entry{}, false
}

// translation returns the Chinese format for an English one, or "".
func (c *Catalogue) translation(format string) string {
	for _, s := range c.sources {
		if read, err := s.read(); err == nil && read.problems[format] != "" {
			return read.problems[format]
		}
	}
	return ""
}

// IDs returns the IDs of all findings in order.
func (c *Catalogue) IDs() []string {
	var ids []string
	for _, s := range c.sources {
		if read, err := s.read(); err == nil {
			ids = slices.AppendSeq(ids, maps.Keys(read.findings))
		}
	}
	slices.Sort(ids)
	return ids
}

// Words returns the catalogue in one language; any but "zh" is English.
func (c *Catalogue) Words(lang string) Words {
	if lang != "zh" {
		lang = "en"
	}
	return Words{lang: lang, from: c}
}
