package alerts

import (
	"errors"
	"log/slog"
	"strings"

	"github.com/prometheus/alertmanager/config"
	"github.com/prometheus/alertmanager/notify"
	"github.com/prometheus/alertmanager/notify/discord"
	"github.com/prometheus/alertmanager/notify/email"
	"github.com/prometheus/alertmanager/notify/incidentio"
	"github.com/prometheus/alertmanager/notify/jira"
	"github.com/prometheus/alertmanager/notify/mattermost"
	"github.com/prometheus/alertmanager/notify/msteams"
	"github.com/prometheus/alertmanager/notify/msteamsv2"
	"github.com/prometheus/alertmanager/notify/opsgenie"
	"github.com/prometheus/alertmanager/notify/pagerduty"
	"github.com/prometheus/alertmanager/notify/pushover"
	"github.com/prometheus/alertmanager/notify/rocketchat"
	"github.com/prometheus/alertmanager/notify/slack"
	"github.com/prometheus/alertmanager/notify/telegram"
	"github.com/prometheus/alertmanager/notify/victorops"
	"github.com/prometheus/alertmanager/notify/webex"
	"github.com/prometheus/alertmanager/notify/webhook"
	"github.com/prometheus/alertmanager/notify/wechat"
	"github.com/prometheus/alertmanager/template"
)

// built collects the ways of one receiver.
type built struct {
	a        *Alertmanager
	receiver string
	words    *template.Template
	all      []notify.Integration
	err      error
}

// integrations builds the ways of a receiver, each watched. It is the list of
// Alertmanager's own BuildReceiverIntegrations without SNS: its client is large.
func (a *Alertmanager) integrations(source Source, r config.Receiver, words *template.Template) ([]notify.Integration, error) {
	b := &built{a: a, receiver: r.Name, words: words}
	add(b, "webhook", r.WebhookConfigs, func(c *webhook.WebhookConfig, l *slog.Logger) (notify.Notifier, error) {
		return webhook.New(c, words, l)
	})
	add(b, "email", r.EmailConfigs, func(c *config.EmailConfig, l *slog.Logger) (notify.Notifier, error) {
		return source.mail(c, words, l), nil
	})
	add(b, "pagerduty", r.PagerdutyConfigs, func(c *pagerduty.PagerdutyConfig, l *slog.Logger) (notify.Notifier, error) {
		return pagerduty.New(c, words, l)
	})
	add(b, "opsgenie", r.OpsGenieConfigs, func(c *opsgenie.OpsGenieConfig, l *slog.Logger) (notify.Notifier, error) {
		return opsgenie.New(c, words, l)
	})
	add(b, "wechat", r.WechatConfigs, func(c *config.WechatConfig, l *slog.Logger) (notify.Notifier, error) {
		return wechat.New(c, words, l)
	})
	add(b, "slack", r.SlackConfigs, func(c *config.SlackConfig, l *slog.Logger) (notify.Notifier, error) {
		return slack.New(c, words, l)
	})
	add(b, "victorops", r.VictorOpsConfigs, func(c *config.VictorOpsConfig, l *slog.Logger) (notify.Notifier, error) {
		return victorops.New(c, words, l)
	})
	add(b, "pushover", r.PushoverConfigs, func(c *config.PushoverConfig, l *slog.Logger) (notify.Notifier, error) {
		return pushover.New(c, words, l)
	})
	b.chats(r)
	return b.all, b.err
}

func (b *built) chats(r config.Receiver) {
	words := b.words
	add(b, "telegram", r.TelegramConfigs, func(c *telegram.TelegramConfig, l *slog.Logger) (notify.Notifier, error) {
		return telegram.New(c, words, l)
	})
	add(b, "discord", r.DiscordConfigs, func(c *discord.DiscordConfig, l *slog.Logger) (notify.Notifier, error) {
		return discord.New(c, words, l)
	})
	add(b, "webex", r.WebexConfigs, func(c *config.WebexConfig, l *slog.Logger) (notify.Notifier, error) {
		return webex.New(c, words, l)
	})
	add(b, "msteams", r.MSTeamsConfigs, func(c *msteams.MSTeamsConfig, l *slog.Logger) (notify.Notifier, error) {
		return msteams.New(c, words, l)
	})
	add(b, "msteamsv2", r.MSTeamsV2Configs, func(c *msteamsv2.MSTeamsV2Config, l *slog.Logger) (notify.Notifier, error) {
		return msteamsv2.New(c, words, l)
	})
	add(b, "jira", r.JiraConfigs, func(c *jira.JiraConfig, l *slog.Logger) (notify.Notifier, error) { return jira.New(c, words, l) })
	add(b, "incidentio", r.IncidentioConfigs, func(c *incidentio.IncidentioConfig, l *slog.Logger) (notify.Notifier, error) {
		return incidentio.New(c, words, l)
	})
	add(b, "rocketchat", r.RocketchatConfigs, func(c *config.RocketchatConfig, l *slog.Logger) (notify.Notifier, error) {
		return rocketchat.New(c, words, l)
	})
	add(b, "mattermost", r.MattermostConfigs, func(c *mattermost.MattermostConfig, l *slog.Logger) (notify.Notifier, error) {
		return mattermost.New(c, words, l)
	})
}

// add builds the ways of one kind.
func add[C notify.ResolvedSender](b *built, name string, configs []C, open func(C, *slog.Logger) (notify.Notifier, error)) {
	for i, c := range configs {
		n, err := open(c, b.a.opt.Log.With("integration", name))
		if err != nil {
			b.err = errors.Join(b.err, err)
			continue
		}
		b.all = append(b.all, notify.NewIntegration(b.a.watch(n, b.receiver, name, i), c, name, i, b.receiver))
	}
}

// mail is Alertmanager's, and with STARTTLS taken where the server has it when our own
// configuration says so: Alertmanager knows always and never.
func (s Source) mail(c *config.EmailConfig, words *template.Template, l *slog.Logger) notify.Notifier {
	if s.File != "" || s.Notify.Email == nil || s.Notify.Email.TLS != "offered" {
		return email.New(c, words, l)
	}
	plain := *c
	plain.RequireTLS = new(bool)
	return offered{email.New(c, words, l), email.New(&plain, words, l)}
}

// noSTARTTLS is how Alertmanager says that a server has none; it has no error value.
const noSTARTTLS = "does not advertise the STARTTLS extension"

func lacksSTARTTLS(err error) bool { return err != nil && strings.Contains(err.Error(), noSTARTTLS) }
