package redis

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// WithoutTTL says when keys that never expire are a finding: both limits have to
// be reached.
type WithoutTTL struct {
	Share quantity.Share `yaml:"share"` // of the declared database's keys; 0 switches it off
	Keys  int64          `yaml:"keys"`
}

// HitRate says when a cache does not help.
type HitRate struct {
	Warning quantity.Share `yaml:"warning"` // hits among lookups since the last check, below which it is a finding; 0 switches it off
	Lookups int64          `yaml:"lookups"` // fewer lookups since then say little
}

// shared reports databases that hold keys beside the declared one: whoever empties
// or fills one of them hits the others, because memory and FLUSHALL know no
// databases.
func (in *Instance) shared(v *service.Verdict, about info) {
	var others []int
	for name := range about.keyspaces() {
		n, err := strconv.Atoi(strings.TrimPrefix(name, "db"))
		if err == nil && n != in.at.db && !slices.Contains(in.cfg.OtherDatabases, n) {
			others = append(others, n)
		}
	}
	if len(others) == 0 {
		return
	}
	slices.Sort(others)
	var keys int64
	for _, n := range others {
		keys += about.keyspaces()[fmt.Sprintf("db%d", n)].Keys
	}
	v.Warn("shared-database", "", service.Args{"databases": others, "declared": in.at.db, "keys": keys})
}

// lasting is how many keys of the declared database never expire, and whether that
// is a finding. INFO counts them exactly. A server that throws out any key when it
// is full needs no expiries.
func (in *Instance) lasting(about info) (keys int64, share float64, due bool) {
	space := about.keyspaces()[fmt.Sprintf("db%d", in.at.db)]
	keys = space.Keys - space.Expiring
	share = float64(keys) / float64(max(space.Keys, 1))
	limit := in.cfg.WithoutTTL
	maxmemory, _ := about.number("maxmemory")
	if maxmemory > 0 && strings.HasPrefix(about["maxmemory_policy"], "allkeys-") {
		return keys, share, false
	}
	return keys, share, limit.Share > 0 && keys > 0 && keys >= limit.Keys && share >= float64(limit.Share)
}

// content looks at some keys, as far as a limit asks for it, and says how many
// lookups that made the server count.
func (in *Instance) content(c *conn, v *service.Verdict, about info) (own lookups, err error) {
	lasting, share, due := in.lasting(about)
	if in.cfg.BigKey == 0 && !due {
		return own, nil
	}
	s := &sampling{conn: c, sizes: in.cfg.BigKey > 0, expiries: due, big: int64(in.cfg.BigKey), patterns: map[string]int64{}}
	denied, err := s.run()
	if denied != "" {
		in.refused(v, denied)
	}
	all := about.keyspaces()[fmt.Sprintf("db%d", in.at.db)].Keys
	v.Set("keys_sampled", s.looked)
	if s.found > 0 {
		v.Warn("big-keys", "", service.Args{"keys": s.found, "sampled": s.looked, "all": all, "estimated": !s.whole,
			"limit": int64(in.cfg.BigKey), "largest": s.largest, "examples": s.examples})
	}
	if due {
		v.Warn("keys-without-ttl", "", service.Args{"keys": lasting, "all": all, "share": share, "limit": float64(in.cfg.WithoutTTL.Share),
			"sampled": s.timed, "patterns": s.common()})
	}
	return s.own, err
}

// refused reports a question that the login may not ask, or that a managed server
// hides.
func (in *Instance) refused(v *service.Verdict, command string) {
	v.Unsure("command-denied", command, service.Args{"command": command, "rule": strings.ToLower(strings.ReplaceAll(command, " ", "|")), "user": in.at.user})
}

func isRefused(err error) bool {
	return errors.Is(err, service.ErrDenied) || errors.Is(err, service.ErrUnsupported)
}
