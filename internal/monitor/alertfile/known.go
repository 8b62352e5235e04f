package alertfile

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/alertmanager/config"
)

// known returns the keys that may stand at a path, by what Alertmanager's loader
// reads there; none when that is no mapping of fixed keys.
func known(path string) []string {
	t := reflect.TypeFor[config.Config]()
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' }) {
		if t = bare(t); t.Kind() != reflect.Struct {
			return nil
		}
		if strings.HasSuffix(step, "]") {
			continue // the index: bare has looked through the list
		}
		field, ok := fields(t)[step]
		if !ok {
			return nil
		}
		t = field
	}
	if t = bare(t); t.Kind() != reflect.Struct {
		return nil
	}
	return slices.Sorted(maps.Keys(fields(t)))
}

func bare(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t
}

// fields are the types of a struct's keys, those of inlined structs among them.
func fields(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case strings.Contains(options, "inline") && bare(f.Type).Kind() == reflect.Struct:
			maps.Copy(all, fields(bare(f.Type)))
		case f.IsExported() && name != "" && name != "-":
			all[name] = f.Type
		}
	}
	return all
}

// meant are keys that people write and what Alertmanager calls them, by what they
// stand in.
var meant = map[string]map[string]string{
	"": {"routes": "route", "receiver": "receivers", "inhibit": "inhibit_rules", "inhibitions": "inhibit_rules", "inhibit_rule": "inhibit_rules",
		"template": "templates", "smtp": "global"},
	"global": {"smarthost": "smtp_smarthost", "smtp_host": "smtp_smarthost", "smtp_server": "smtp_smarthost", "smtp": "smtp_smarthost", "from": "smtp_from",
		"smtp_username": "smtp_auth_username", "smtp_user": "smtp_auth_username", "auth_username": "smtp_auth_username", "smtp_auth_user": "smtp_auth_username",
		"smtp_password": "smtp_auth_password", "auth_password": "smtp_auth_password", "smtp_pass": "smtp_auth_password", "smtp_auth_pass": "smtp_auth_password",
		"smtp_tls": "smtp_require_tls", "require_tls": "smtp_require_tls"},
	"email_configs": {"smtp_smarthost": "smarthost", "server": "smarthost", "host": "smarthost", "smtp_server": "smarthost", "smtp_host": "smarthost",
		"smtp_from": "from", "sender": "from", "recipient": "to", "recipients": "to", "email": "to", "username": "auth_username", "user": "auth_username",
		"smtp_auth_username": "auth_username", "password": "auth_password", "smtp_auth_password": "auth_password", "tls": "require_tls",
		"smtp_require_tls": "require_tls", "template": "html"},
	"webhook_configs": {"uri": "url", "endpoint": "url", "webhook_url": "url", "address": "url", "api_url": "url"},
	"slack_configs":   {"url": "api_url", "webhook_url": "api_url", "webhook": "api_url", "message": "text", "body": "text", "subject": "title"},
	"route": {"groupby": "group_by", "group": "group_by", "wait": "group_wait", "interval": "group_interval", "repeat": "repeat_interval",
		"receivers": "receiver", "route": "routes", "children": "routes"},
	"routes": {"groupby": "group_by", "group": "group_by", "wait": "group_wait", "interval": "group_interval", "repeat": "repeat_interval",
		"receivers": "receiver", "route": "routes", "matcher": "matchers", "when": "matchers"},
	"receivers": {"email": "email_configs", "email_config": "email_configs", "emails": "email_configs", "webhook": "webhook_configs",
		"webhook_config": "webhook_configs", "webhooks": "webhook_configs", "slack": "slack_configs", "slack_config": "slack_configs"},
	"inhibit_rules": {"source": "source_matchers", "target": "target_matchers", "source_matcher": "source_matchers", "target_matcher": "target_matchers"},
}
