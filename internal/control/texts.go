package control

import (
	_ "embed"

	"upkeep/internal/capability/backup"
	"upkeep/internal/capability/check"
	"upkeep/internal/capability/crontab"
	"upkeep/internal/capability/data"
	"upkeep/internal/capability/drill"
	"upkeep/internal/capability/hostfiles"
	"upkeep/internal/capability/initialize"
	"upkeep/internal/capability/logs"
	"upkeep/internal/capability/maintain"
	"upkeep/internal/capability/reconcile"
	recovery "upkeep/internal/capability/recover"
	"upkeep/internal/capability/report"
	"upkeep/internal/capability/restore"
	"upkeep/internal/capability/tidy"
	"upkeep/internal/capability/tune"
	"upkeep/internal/capability/verify"
	"upkeep/internal/catalogue"
	"upkeep/internal/config"
	"upkeep/internal/inventory"
	"upkeep/internal/monitor/alertfile"
	"upkeep/internal/repository"
	"upkeep/internal/service"
)

//go:embed text.yaml
var text []byte

//go:embed self.yaml
var selfText []byte

//go:embed notify.yaml
var notifyText []byte

// Texts gathers every word that the program says, below the surfaces, and those
// that a surface brings.
func Texts(kinds *service.Registry, surface ...catalogue.Source) (*catalogue.Catalogue, error) {
	sources := append(surface, catalogue.Source{Prefix: "error", Text: service.ErrorText()},
		catalogue.Source{Prefix: "control", Text: text},
		catalogue.Source{Prefix: "control", Text: notifyText},
		catalogue.Source{Prefix: "config", Text: config.Text()},
		catalogue.Source{Prefix: "alertfile", Text: alertfile.Text()},
		catalogue.Source{Prefix: "upkeep", Text: selfText},
		catalogue.Source{Prefix: "assertion", Text: inventory.Words()},
		catalogue.Source{Prefix: "check", Text: check.Words()},
		catalogue.Source{Prefix: "backup", Text: backup.Words()},
		catalogue.Source{Prefix: "crontab", Text: crontab.Words()},
		catalogue.Source{Prefix: "hostfiles", Text: hostfiles.Words()},
		catalogue.Source{Prefix: "verify", Text: verify.Words()},
		catalogue.Source{Prefix: "drill", Text: drill.Words()},
		catalogue.Source{Prefix: "restore", Text: restore.Words()},
		catalogue.Source{Prefix: "reconcile", Text: reconcile.Words()},
		catalogue.Source{Prefix: "logs", Text: logs.Words()},
		catalogue.Source{Prefix: "data", Text: data.Words()},
		catalogue.Source{Prefix: "tidy", Text: tidy.Words()},
		catalogue.Source{Prefix: "tune", Text: tune.Words()},
		catalogue.Source{Prefix: "recover", Text: recovery.Words()},
		catalogue.Source{Prefix: "maintain", Text: maintain.Words()},
		catalogue.Source{Prefix: "report", Text: report.Words()},
		catalogue.Source{Prefix: "report", Text: report.ResultsWords()},
		catalogue.Source{Prefix: "init", Text: initialize.Words()},
	)
	sources = append(sources, catalogue.Source{Prefix: "repository", Text: repository.Text()})
	for _, k := range kinds.Kinds() {
		sources = append(sources, catalogue.Source{Prefix: k.Name(), Text: k.Text()})
	}
	return catalogue.New(sources...)
}
