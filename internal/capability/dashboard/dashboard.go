// Package dashboard makes dashboards of panels that kinds declare: of queries over the samples
// that are collected here. It shows nothing itself.
package dashboard

import (
	"encoding/json"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Panel is one graph over time.
type Panel struct {
	Title  map[string]string `yaml:"title"`  // by language
	Unit   string            `yaml:"unit"`   // Grafana's name: short, bytes, s, percentunit, ops, Bps
	Legend string            `yaml:"legend"` // of a series, with {{label}}
	// Query is PromQL. $system and $target stand for what the reader has chosen,
	// $__rate_interval for four scrapes or more.
	Query string `yaml:"query"`
}

// Parse reads panels.yaml of a kind.
func Parse(text []byte) (panels []Panel, err error) {
	if err := yaml.UnmarshalWithOptions(text, &panels, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("read panels: %w", err)
	}
	return panels, nil
}

// Dashboard is what one page of Grafana is made of.
type Dashboard struct {
	UID      string
	Title    string
	Language string // of its panels' titles
	Job      string // whose targets are chosen from; empty = only the system is
	Panels   []Panel
}

// source is the data source that the reader chooses: where Grafana's own Prometheus or upkeep
// itself answers.
func source() common.DataSourceRef {
	return common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}
}

// Size of a panel: two stand side by side in Grafana's 24 columns.
const height, width = 8, 12

// JSON is the dashboard as Grafana imports it.
func (d Dashboard) JSON() ([]byte, error) {
	// Its successor is read by Grafana 12 and newer only, and not from files.
	b := dashboard.NewDashboardBuilder(d.Title) //nolint:staticcheck // see above
	b = b.Uid(d.UID).Tags([]string{"upkeep"}).Timezone("browser").Refresh("30s").Time("now-6h", "now").
		WithVariable(dashboard.NewDatasourceVariableBuilder("datasource").Type("prometheus").Label("Prometheus")).
		WithVariable(choice("system", "label_values(up, system)"))
	if d.Job != "" {
		b = b.WithVariable(choice("target", fmt.Sprintf(`label_values(up{job="%s",system=~"$system"}, target)`, d.Job)))
	}
	for i, p := range d.Panels {
		b = b.WithPanel(p.panel(d.Language).Id(uint32(i + 1)))
	}
	made, err := b.Build()
	if err != nil {
		return nil, fmt.Errorf("make the dashboard %s: %w", d.UID, err)
	}
	text, err := json.MarshalIndent(made, "", "  ")
	return append(text, '\n'), err
}

func (p Panel) panel(language string) *timeseries.PanelBuilder {
	return timeseries.NewPanelBuilder().Title(p.Title[language]).Unit(p.Unit).Datasource(source()).
		Height(height).Span(width).FillOpacity(10).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		WithTarget(prometheus.NewDataqueryBuilder().RefId("A").Expr(p.Query).LegendFormat(p.Legend).Range().Datasource(source()))
}

// choice is a list of a label's values; at first all are chosen.
func choice(name, query string) *dashboard.QueryVariableBuilder {
	all := dashboard.StringOrArrayOfString{ArrayOfString: []string{"$__all"}}
	return dashboard.NewQueryVariableBuilder(name).Label(name).Datasource(source()).
		Query(dashboard.StringOrMap{String: &query}).Refresh(dashboard.VariableRefreshOnTimeRangeChanged).
		Multi(true).IncludeAll(true).AllValue(".*").
		Current(dashboard.VariableOption{Text: dashboard.StringOrArrayOfString{ArrayOfString: []string{"All"}}, Value: all})
}
