// Package alertfile reads an alertmanager.yml as Alertmanager does, and where that
// refuses it, or what it says is hardly meant, says where, why and how it should
// read. It routes and sends nothing.
package alertfile

import (
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/featurecontrol"
	"github.com/prometheus/alertmanager/matcher/compat"

	"upkeep/internal/diag"
)

//go:embed text.yaml
var text []byte

// Text is the translation of every problem that this package reports.
func Text() []byte { return text }

// maxFile bounds an alertmanager.yml, in bytes: what is larger is some other file.
const maxFile = 1 << 20

// Report is what is wrong with a file. Without problems it is obeyed; warnings are
// what loads but is hardly meant.
type Report struct {
	Problems, Warnings diag.List
	// Corrected is the file with everything mended that can be mended without knowing
	// more, comments and order kept; "" when nothing was wrong or not all could be.
	Corrected string
	Config    *config.Config // of the file as it is; nil with problems
}

// Check reads a file and judges it.
func Check(path string) Report {
	content, err := read(path)
	if err != nil {
		var r Report
		r.Problems.Addf("", "cannot be read: %s", err)
		return r.in(path)
	}
	return Judge(path, string(content))
}

func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, fmt.Errorf("not a file of at most %d bytes", maxFile)
	}
	return os.ReadFile(path)
}

// Judge judges the content of a file. path is where relative paths in it start.
func Judge(path, content string) Report {
	j := judgement{dir: filepath.Dir(path), original: parse(content), text: content}
	j.refuse()
	if j.loads() {
		j.advise()
	}
	return j.report(content).in(path)
}

func (r Report) in(path string) Report {
	for _, list := range []diag.List{r.Problems, r.Warnings} {
		for i := range list {
			list[i].File = path
		}
	}
	return r
}

// Load reads content with Alertmanager's own loader and refuses what this program
// was built without.
func Load(content string) (*config.Config, error) {
	speakUTF8()
	c, err := config.Load(content)
	if err != nil {
		return nil, err
	}
	for _, r := range c.Receivers {
		if len(r.SNSConfigs) > 0 {
			return nil, errSNS
		}
	}
	return c, nil
}

// errSNS: the client for SNS is large, for one receiver of eighteen.
var errSNS = errors.New("sns_configs is not built into upkeep")

// speakUTF8 sets how matchers are read to what a stock Alertmanager does. The
// library keeps that for the whole process.
var speakUTF8 = sync.OnceFunc(func() { compat.InitFromFlags(slog.New(slog.DiscardHandler), featurecontrol.NoopFlags{}) })
