package redis

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/zeebo/xxh3"

	"upkeep/internal/service"
)

// functionsEntry is the manifest's entry for the libraries of FUNCTION LOAD.
const functionsEntry = "functions"

// tally is what one walk found in a database, or in all functions.
type tally struct {
	count    int64
	expiring int64
	sum      sum128
	opaque   int64 // keys whose value could not be decoded
	promised int64 // keys by the server's own count
}

// census is what one walk found in an RDB.
type census struct {
	head      header
	dbs       map[int]*tally
	functions tally
	aux       map[string]string
	modules   int64       // keys of modules, a part of the opaque ones
	bytes     int64       // of the whole file
	content   int64       // of keys and functions: the rest holds the time of day
	largest   int64       // the largest value, in bytes
	unknown   *unreadable // where the walk had to end early
}

// item is one key as a census sees it.
type item struct {
	record
	value  xxh3.Uint128 // of the value alone
	opaque bool         // nothing vouches for the value
}

// take walks an RDB and calls each, where it is set, for every key. Content that
// this program does not know is noted in the census and not an error; the stream
// is read to its end all the same. Anything else that is wrong with the file
// wraps ErrDamaged, and an error of reading is passed on.
func take(r io.Reader, each func(item) error) (*census, error) {
	c := &census{dbs: map[int]*tally{}, aux: map[string]string{}}
	in := &counter{r: r}
	var d *digester
	head, err := walk(in, visitor{
		aux:   func(name, value string) { c.aux[name] = value },
		sizes: func(db int, keys, expiring int64) { c.db(db).promised = keys },
		function: func(code []byte) error {
			c.functions.count++
			c.content += int64(len(code))
			c.functions.sum.add(xxh3.Hash128(code))
			return nil
		},
		head: func(h header) { d = newDigester(h) },
		record: func(rec record) error {
			it := item{record: rec}
			it.value, it.opaque = d.value(rec)
			c.add(it)
			if each == nil {
				return nil
			}
			return each(it)
		},
	})
	c.head = head
	if errors.As(err, &c.unknown) {
		err = nil
	}
	c.bytes = in.n
	return c, damaged(err)
}

// damaged marks what is wrong with the bytes themselves.
func damaged(err error) error {
	for _, flaw := range []error{errNotRDB, errChecksum, errTrailing, io.ErrUnexpectedEOF, io.EOF} {
		if errors.Is(err, flaw) && !errors.Is(err, service.ErrUnreachable) {
			return fmt.Errorf("%w: %w", service.ErrDamaged, err)
		}
	}
	return err
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (c *census) db(n int) *tally {
	if c.dbs[n] == nil {
		c.dbs[n] = &tally{}
	}
	return c.dbs[n]
}

func (c *census) add(it item) {
	t := c.db(it.DB)
	t.count++
	if it.Expiry != 0 {
		t.expiring++
	}
	if it.opaque {
		t.opaque++
	}
	if it.Type == typeModule2 {
		c.modules++
	}
	t.sum.add(whole(it.Key, it.Expiry, it.value))
	c.content += it.Size
	c.largest = max(c.largest, int64(len(it.Value)))
}

func (c *census) keys() (n int64) {
	for _, t := range c.dbs {
		n += t.count
	}
	return n
}

// taken is when the server made the file, to the second, by its own clock.
func (c *census) taken() time.Time {
	seconds, err := strconv.ParseInt(c.aux["ctime"], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}

// Attributes of the manifest and its entries.
const (
	attrFormat   = "rdb"         // REDIS0010
	attrMemory   = "used_memory" // bytes, of the source when it was copied
	attrServer   = "server"      // redis, valkey
	attrAOF      = "aof"         // whether the source also kept an append-only file: "yes", "no"
	attrExpiring = "expiring"    // keys of the database with an expiry
	attrOpaque   = "opaque"      // keys of the database that no digest covers
)

// entries lists what was found, for a manifest. Where the walk had to end early
// they hold the server's own counts and no digest: nothing vouches for them.
func (c *census) entries() []service.Entry {
	var all []service.Entry
	for _, n := range slices.Sorted(maps.Keys(c.dbs)) {
		t := c.dbs[n]
		if t.count == 0 && t.promised == 0 {
			continue
		}
		all = append(all, c.entry("db"+strconv.Itoa(n), *t))
	}
	if c.functions.count > 0 {
		all = append(all, c.entry(functionsEntry, c.functions))
	}
	slices.SortFunc(all, func(a, b service.Entry) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return all
}

func (c *census) entry(name string, t tally) service.Entry {
	if c.unknown != nil {
		return service.Entry{Name: name, Count: max(t.count, t.promised)}
	}
	e := service.Entry{Name: name, Count: t.count, Digest: t.sum.String()}
	if name != functionsEntry {
		e.Attrs = map[string]string{attrExpiring: strconv.FormatInt(t.expiring, 10)}
	}
	if t.opaque > 0 {
		e.Attrs[attrOpaque] = strconv.FormatInt(t.opaque, 10)
	}
	return e
}

func (c *census) counts() map[string]int64 {
	counts := map[string]int64{"keys": 0, "expiring": 0, "databases": 0, "functions": c.functions.count, "bytes": c.content}
	for _, t := range c.dbs {
		if n := max(t.count, t.promised); n > 0 {
			counts["keys"] += n
			counts["expiring"] += t.expiring
			counts["databases"]++
		}
	}
	return counts
}

// findings says what nothing vouches for.
func (c *census) findings() []service.Finding {
	var v service.Verdict
	if c.unknown != nil {
		v.Unsure("content-unreadable", c.unknown.what, service.Args{"what": c.unknown.what, "offset": c.unknown.at})
		return v.Findings
	}
	var opaque int64
	for _, t := range c.dbs {
		opaque += t.opaque
	}
	if opaque > 0 {
		v.Unsure("keys-not-covered", "", service.Args{"keys": opaque, "modules": c.modules})
	}
	return v.Findings
}
