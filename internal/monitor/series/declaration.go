package series

import (
	"cmp"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/units"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"go.yaml.in/yaml/v3"

	"upkeep/internal/diag"
)

// declaration reads Scrape as Prometheus does, and adds what Options say. What is wrong is a
// diag.List with its place in the file.
func declaration(opt Options) (*config.Config, error) {
	text, err := scrapeFile(opt.Scrape)
	if err != nil {
		return nil, err
	}
	c, err := config.Load(string(text), quiet(opt.Log, "declaration"))
	if err != nil {
		return nil, refused(opt.Scrape, string(text), err)
	}
	c.SetDirectory(filepath.Dir(opt.Scrape))
	lenient(c)
	if _, err := c.GetScrapeConfigs(); err != nil { // the files that scrape_config_files names
		return nil, refused(opt.Scrape, string(text), err)
	}
	if !says(text, "global", "evaluation_interval") {
		c.GlobalConfig.EvaluationInterval = cmp.Or(model.Duration(opt.Every), c.GlobalConfig.EvaluationInterval)
	}
	c.GlobalConfig.ExternalLabels = labels.FromMap(withLabels(c.GlobalConfig.ExternalLabels, labels.FromMap(opt.Labels)))
	retention := c.StorageConfig.TSDBConfig.Retention
	retention.Time, retention.Size, retention.Percentage = model.Duration(opt.Keep), units.Base2Bytes(opt.Size), 0
	return c, nil
}

// Check tells what is wrong with a prometheus.yml, without taking it.
func Check(path string) diag.List {
	_, err := declaration(Options{Scrape: path, Log: slog.New(slog.DiscardHandler)})
	problems := diag.List(nil)
	errors.As(err, &problems)
	return problems
}

// CheckRules tells which rules of files, and of the files that a prometheus.yml names, would be left out.
func CheckRules(scrape string, files []string) diag.List {
	log := slog.New(slog.DiscardHandler)
	c, err := declaration(Options{Scrape: scrape, Log: log})
	if err != nil {
		return nil // Check tells of it
	}
	l := newLoader(log)
	for _, file := range l.begin(Options{Rules: files}, c.RuleFiles) {
		l.Load(file, false, c.GlobalConfig.MetricNameValidationScheme)
	}
	var problems diag.List
	for _, r := range l.refusals() {
		problems = append(problems, r.problem())
	}
	return problems
}

func scrapeFile(path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, diag.List{{File: path, Format: "cannot be read: %s", Args: []any{cause(err)}}}
	}
	return text, nil
}

func cause(err error) string {
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// says reports whether a declaration has a key.
func says(text []byte, path ...string) bool {
	var tree map[string]any
	if yaml.Unmarshal(text, &tree) != nil {
		return false
	}
	for _, key := range path[:len(path)-1] {
		below, ok := tree[key].(map[string]any)
		if !ok {
			return false
		}
		tree = below
	}
	_, said := tree[path[len(path)-1]]
	return said
}

var (
	atLine  = regexp.MustCompile(`\bline (\d+): `)
	unknown = regexp.MustCompile(`field (\w+) not found in type`)
	quoted  = regexp.MustCompile(`"([^"]+)"`)
)

// refused says where in the file the mistake is, as far as the error tells.
func refused(file, text string, err error) diag.List {
	var found diag.List
	for _, message := range messages(err) {
		line := 0
		if at := atLine.FindStringSubmatch(message); at != nil {
			line, _ = strconv.Atoi(at[1]) // digits
			message = strings.Replace(message, at[0], "", 1)
		}
		p := diag.Problem{File: file, Format: "is refused by Prometheus: %s", Args: []any{message}}
		word := ""
		if key := unknown.FindStringSubmatch(message); key != nil {
			word = key[1]
			p.Format, p.Args = unknownKey(word)
		} else if names := quoted.FindAllStringSubmatch(message, -1); names != nil {
			word = names[len(names)-1][1]
		}
		p.Line, p.Column = locate(text, line, word)
		found = append(found, p)
	}
	return found
}

// messages are the single mistakes of one error of the YAML library.
func messages(err error) (all []string) {
	for _, line := range strings.Split(err.Error(), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "yaml: "))
		if line != "" && line != "unmarshal errors:" {
			all = append(all, line)
		}
	}
	return all
}

func unknownKey(key string) (format string, args []any) {
	kinds := strings.Join(discoveries(), ", ")
	if strings.HasSuffix(key, "_sd_configs") {
		return "targets cannot be found by %s here; there are: %s", []any{key, kinds}
	}
	return "unknown key %q; Prometheus %s does not have it", []any{key, prometheusVersion}
}

// locate finds the word in the line, else the last line that has it.
func locate(text string, line int, word string) (int, int) {
	lines := strings.Split(text, "\n")
	if line > 0 && line <= len(lines) {
		at := max(0, strings.Index(lines[line-1], cmp.Or(word, strings.TrimSpace(lines[line-1]))))
		return line, at + 1
	}
	if word == "" {
		return 0, 0
	}
	for i, l := range slices.Backward(lines) {
		if at := strings.Index(l, word); at >= 0 {
			return i + 1, at + 1
		}
	}
	return 0, 0
}
