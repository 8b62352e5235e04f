package redis

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"upkeep/internal/service"
)

// TestEveryFaultIsFound changes one thing in a scratch server behind upkeep's
// back.
func TestEveryFaultIsFound(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	for _, tc := range []struct {
		name string
		do   []string
		want string
		key  string
	}{
		{"a missing key", []string{"DEL", "new\nline 'and' \"quotes\" $(reboot) `id`"}, "keys-missing", `$(reboot)`},
		{"a key too many", []string{"SET", "extra", "1"}, "keys-extra", "extra"},
		{"another value of the same length", []string{"SET", "string", "valuf"}, "values-differ", `"string"`},
		{"another element of a list", []string{"LSET", "big list", "1234", "x"}, "values-differ", "big list"},
		{"another order of a list", []string{"LMOVE", "list", "list", "LEFT", "RIGHT"}, "values-differ", "list"},
		{"another field of a hash", []string{"HSET", "big hash", "field 7", "x"}, "values-differ", "big hash"},
		{"another score", []string{"ZADD", "zset", "1.5000000000000002", "a"}, "values-differ", "zset"},
		{"another member of a set", []string{"SMOVE", "intset", "elsewhere", "1"}, "values-differ", "intset"},
		{"a key of another type", []string{"RENAME", "set", "hash"}, "values-differ", "hash"},
		{"an entry less in a stream", []string{"XDEL", "stream", "9-1"}, "values-differ", "stream"},
		{"a message acknowledged", []string{"XACK", "stream", "group", "1-1"}, "values-differ", "stream"},
		{"another expiry", []string{"PEXPIRE", "expiring", "7200000"}, "expiry-differs", "expiring"},
		{"no expiry", []string{"PERSIST", "expiring hash"}, "expiry-differs", "expiring hash"},
		{"a key in another database", []string{"MOVE", "int", "3"}, "keys-extra", "db3"},
		{"a function less", []string{"FUNCTION", "FLUSH"}, "functions-differ", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sib := scratch(t, in, c)
			must(t, sib.Restore(t.Context(), c, service.Selection{}, service.Report{}))
			tamper(t, sib.(*sibling).in, tc.do...)
			v := verified(t, sib, c)
			if got := slugs(t, v); got[tc.want] != service.Critical {
				t.Fatalf("found %v", got)
			}
			if said := fmt.Sprint(v.Findings); !strings.Contains(said, tc.key) {
				t.Errorf("%q is not named: %s", tc.key, said)
			}
		})
	}
	t.Run("a copy that is not what was promised", func(t *testing.T) {
		sib := scratch(t, in, c)
		must(t, client(t, s, 0).Set(t.Context(), "string", "later", 0).Err())
		swapped := promising{backup(t, in), c.Manifest()}
		must(t, sib.Restore(t.Context(), swapped, service.Selection{}, service.Report{}))
		if got := slugs(t, verified(t, sib, swapped)); got["copy-differs"] != service.Critical {
			t.Errorf("found %v", got)
		}
	})
}

func tamper(t *testing.T, in *Instance, command ...string) {
	t.Helper()
	c, err := in.connect(t.Context())
	must(t, err)
	defer func() { _ = c.close() }()
	_, err = c.do(command...)
	must(t, err)
}

func TestManyDifferencesAreCountedAndTenNamed(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	must(t, client(t, s, 15).FlushDB(t.Context()).Err())
	v := verified(t, in, c)
	if len(v.Findings) != 1 || v.Findings[0].Args["keys"] != int64(3000) || len(v.Findings[0].Args["examples"].([]string)) != 10 {
		t.Errorf("found %v", v.Findings)
	}
}

func TestModuleKeysAreNeverVouchedFor(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := forgedModuleKey(t, backup(t, in))
	if m := c.Manifest(); service.Worst(m.Findings) != service.Unknown || m.Counts["keys"] != 3023 {
		t.Errorf("manifest %v, %v", m.Counts, m.Findings)
	}
	if got := slugs(t, verified(t, in, c)); got["keys-not-covered"] != service.Unknown || got["keys-missing"] != service.Critical {
		t.Errorf("found %v", got)
	}
}

func TestUnknownContentIsUnknown(t *testing.T) {
	s := start(t, "")
	seed(t, s)
	in := declare(t, s)
	c := backup(t, in)
	content := dumpBytes(t, c)
	content = append(content[:len(content)-9], 200, 1, 'k', 1, 2, 3, opEnd, 0, 0, 0, 0, 0, 0, 0, 0)
	found, err := take(bytes.NewReader(content), nil)
	must(t, err)
	if found.bytes != int64(len(content)) || service.Worst(found.findings()) != service.Unknown {
		t.Errorf("read %d of %d bytes, findings %v", found.bytes, len(content), found.findings())
	}
	for _, e := range found.entries() {
		if e.Digest != "" || e.Count == 0 {
			t.Errorf("entry %+v claims to be known", e)
		}
	}
	m := c.Manifest()
	m.Entries, m.Findings = found.entries(), found.findings()
	if got := slugs(t, verified(t, in, promising{forged{c, content}, m})); got["content-unreadable"] != service.Unknown {
		t.Errorf("found %v", got)
	}
}
