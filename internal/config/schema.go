package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/invopop/jsonschema"

	"upkeep/internal/quantity"
	"upkeep/internal/secret"
	"upkeep/internal/service"
)

// Schema returns the form of a declaration as JSON schema, for editors. It says
// less than Parse checks: names and dependencies are not part of it.
func Schema(kinds *service.Registry) ([]byte, error) {
	reflector := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		DoNotReference:             true,
		Anonymous:                  true,
		RequiredFromJSONSchemaTags: true,
		Mapper:                     mapType,
	}
	root := reflector.Reflect(&document{})
	root.Title = "upkeep.yaml"
	root.Required = []string{"system", "services"}
	root.Properties.Set("language", &jsonschema.Schema{Type: "string", Enum: []any{"en", "zh"}})
	root.Properties.Set("services", services(reflector, kinds))
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// mapType describes types that are written as text.
func mapType(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[secret.Ref]():
		return reference()
	case reflect.TypeFor[time.Duration]():
		return quantity.Duration(0).JSONSchema()
	case reflect.TypeFor[service.Severity]():
		return &jsonschema.Schema{Type: "string", Enum: []any{service.Warning, service.Critical}}
	case reflect.TypeFor[entries]():
		return &jsonschema.Schema{Type: "object"}
	}
	return nil
}

func reference() *jsonschema.Schema {
	command := jsonschema.NewProperties()
	command.Set("command", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}})
	return &jsonschema.Schema{
		Description: "where a secret is kept, never the secret itself",
		OneOf: []*jsonschema.Schema{
			{Type: "string", Examples: []any{"env:NAME", "file:secrets/db", "dotenv:.env#KEY", "compose:docker-compose.yml#SERVICE.VAR"}},
			{Type: "object", Properties: command, Required: []string{"command"}, AdditionalProperties: jsonschema.FalseSchema},
		},
	}
}

// services describes the mapping of services: which keys one may have follows
// from its kind.
func services(reflector *jsonschema.Reflector, kinds *service.Registry) *jsonschema.Schema {
	names := &jsonschema.Schema{Type: "string"}
	entry := &jsonschema.Schema{Type: "object", Required: []string{"kind"}, Properties: jsonschema.NewProperties()}
	entry.Properties.Set("kind", names)
	for _, kind := range kinds.Kinds() {
		names.Enum = append(names.Enum, kind.Name())
		entry.AllOf = append(entry.AllOf, &jsonschema.Schema{If: isKind(kind.Name()), Then: keysOf(reflector, kind)})
	}
	one := uint64(1)
	return &jsonschema.Schema{Type: "object", MinProperties: &one, AdditionalProperties: entry}
}

func isKind(name string) *jsonschema.Schema {
	properties := jsonschema.NewProperties()
	properties.Set("kind", &jsonschema.Schema{Const: name})
	return &jsonschema.Schema{Properties: properties, Required: []string{"kind"}}
}

// keysOf are the keys of one kind together with those of every service.
func keysOf(reflector *jsonschema.Reflector, kind service.Kind) *jsonschema.Schema {
	keys := reflector.ReflectFromType(reflect.TypeOf(kind.NewConfig()))
	keys.Version = ""
	shared := reflector.Reflect(&common{}).Properties
	for pair := shared.Oldest(); pair != nil; pair = pair.Next() {
		keys.Properties.Set(pair.Key, pair.Value)
	}
	return keys
}
