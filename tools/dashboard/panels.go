package main

import (
	"maps"
	"slices"
	"strconv"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

// Grafana lays out in 24 columns; a unit of height is some 38 pixels.
const (
	full  = 24
	half  = 12
	third = 8
	sixth = 4
)

// source is the Prometheus that is chosen at the top of the dashboard.
var source = common.DataSourceRef{Type: cog.ToPtr("prometheus"), Uid: cog.ToPtr("${datasource}")}

const (
	green  = "green"
	yellow = "yellow"
	orange = "orange"
	red    = "red"
)

// query is an expression and what its series are called.
type query struct{ expr, legend string }

// limit draws a threshold of the rules.
func limit(name string) query { return query{"notifier:limit:" + name, "limit"} }

func (q query) target(i int) *prometheus.DataqueryBuilder {
	return prometheus.NewDataqueryBuilder().Expr(q.expr).LegendFormat(q.legend).RefId(string(rune('A' + i))).Datasource(source)
}

// steps colours a value: the first colour from the beginning on, each other
// from its value on.
func steps(first string, from ...dashboard.Threshold) cog.Builder[dashboard.ThresholdsConfig] {
	return dashboard.NewThresholdsConfigBuilder().Mode(dashboard.ThresholdsModeAbsolute).
		Steps(append([]dashboard.Threshold{{Color: first}}, from...))
}

func from(value float64, color string) dashboard.Threshold {
	return dashboard.Threshold{Value: &value, Color: color}
}

// words has numbers shown as words in colours.
type word struct{ text, color string }

func words(m map[int]word) []dashboard.ValueMapping {
	options := make(map[string]dashboard.ValueMappingResult)
	for _, n := range slices.Sorted(maps.Keys(m)) {
		options[strconv.Itoa(n)] = dashboard.ValueMappingResult{Text: cog.ToPtr(m[n].text), Color: cog.ToPtr(m[n].color), Index: cog.ToPtr(int32(n))}
	}
	return []dashboard.ValueMapping{{ValueMap: &dashboard.ValueMap{Type: dashboard.MappingTypeValueToText, Options: options}}}
}

// number is one large number, green while all is well.
func number(title, what, unit, none string, q query, colors cog.Builder[dashboard.ThresholdsConfig]) *stat.PanelBuilder {
	return stat.NewPanelBuilder().Title(title).Description(what).Datasource(source).Span(sixth).Height(4).
		WithTarget(q.target(0).Instant()).Unit(unit).NoValue(none).Thresholds(colors).
		ColorMode(common.BigValueColorModeBackground).GraphMode(common.BigValueGraphModeNone).
		ReduceOptions(common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"}))
}

// states shows for each series what it was when.
func states(title, what string, q query, names map[int]word) *statetimeline.PanelBuilder {
	return statetimeline.NewPanelBuilder().Title(title).Description(what).Datasource(source).Span(half).Height(7).
		WithTarget(q.target(0)).Mappings(words(names)).MergeValues(true).ShowValue(common.VisibilityModeNever).RowHeight(0.8).FillOpacity(80).LineWidth(0).
		ColorScheme(dashboard.NewFieldColorBuilder().Mode(dashboard.FieldColorModeIdThresholds)).Thresholds(steps(green)).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom))
}

// lines is a graph. A series called limit is a dashed red line.
func lines(title, what, unit string, queries ...query) *timeseries.PanelBuilder {
	p := timeseries.NewPanelBuilder().Title(title).Description(what).Datasource(source).Span(third).Height(7).Unit(unit).Min(0).
		LineWidth(1).FillOpacity(8).ShowPoints(common.VisibilityModeNever).
		Legend(common.NewVizLegendOptionsBuilder().ShowLegend(true).DisplayMode(common.LegendDisplayModeList).Placement(common.LegendPlacementBottom)).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending))
	for i, q := range queries {
		p.WithTarget(q.target(i).Range())
		if q.legend == "limit" {
			p.OverrideByName("limit", []dashboard.DynamicConfigValue{
				{Id: "color", Value: map[string]string{"mode": "fixed", "fixedColor": red}},
				{Id: "custom.lineStyle", Value: map[string]any{"fill": "dash", "dash": []int{6, 6}}},
				{Id: "custom.fillOpacity", Value: 0},
			})
		}
	}
	return p
}

// list is a table of what there is now, with these labels as columns.
func list(title, what, none string, q query, columns ...string) *table.PanelBuilder {
	shown := make(map[string]bool)
	order := make(map[string]int)
	for i, c := range columns {
		shown[c], order[c] = true, i
	}
	return table.NewPanelBuilder().Title(title).Description(what).Datasource(source).Span(third).Height(7).NoValue(none).
		WithTarget(q.target(0).Instant().Format(prometheus.PromQueryFormatTable)).
		WithTransformation(dashboard.DataTransformerConfig{Id: "filterFieldsByName", Options: map[string]any{"include": map[string]any{"names": columns}}}).
		WithTransformation(dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{"indexByName": order}})
}
