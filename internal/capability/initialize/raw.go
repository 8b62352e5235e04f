package initialize

import (
	"context"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// readRaw reads each file by itself with its ${…} left alone: where a value came
// from is lost once files are merged.
func (st *stack) readRaw(ctx context.Context) error {
	for i := range st.files {
		details := st.details(st.files[i])
		details.Environment = types.Mapping{}
		raw, err := loader.LoadModelWithContext(ctx, details, st.options, func(o *loader.Options) {
			o.SkipInterpolation, o.SkipValidation, o.SkipDefaultValues = true, true, true
			o.SkipExtends, o.SkipInclude, o.ResolvePaths = true, true, false
		})
		if err != nil {
			return st.problem(err)
		}
		st.files[i].raw = raw
		st.env.findUnset(raw)
	}
	return nil
}

// rawOf returns a key of a service as it is written in the last file that has
// it, or nil.
func (st *stack) rawOf(serviceName, key string) any {
	for _, f := range slices.Backward(st.files) {
		services, _ := f.raw["services"].(map[string]any)
		service, _ := services[serviceName].(map[string]any)
		if value, ok := service[key]; ok {
			return value
		}
	}
	return nil
}

// rawVariable returns a variable of a service as it is written in the last file
// that has it.
func (st *stack) rawVariable(serviceName, variable string) string {
	for _, f := range slices.Backward(st.files) {
		services, _ := f.raw["services"].(map[string]any)
		service, _ := services[serviceName].(map[string]any)
		switch environment := service["environment"].(type) {
		case map[string]any:
			if value, ok := environment[variable].(string); ok {
				return value
			}
		case []any:
			for _, line := range environment {
				written, _ := line.(string)
				if name, value, ok := strings.Cut(written, "="); ok && name == variable {
					return value
				}
			}
		}
	}
	return ""
}
