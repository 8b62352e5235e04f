package config

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"upkeep/internal/nearest"
	"upkeep/internal/quantity"
	"upkeep/internal/service"
)

// document is the form of the file.
type document struct {
	System     string               `yaml:"system"`
	Language   string               `yaml:"language"`
	Services   entries              `yaml:"services"`
	Repository Repository           `yaml:"repository"`
	State      string               `yaml:"state"`
	Scratch    Scratch              `yaml:"scratch"`
	Tools      []string             `yaml:"tools"`
	Keep       *Keep                `yaml:"keep"`
	Reconcile  []Rule               `yaml:"reconcile"`
	Assertions []Assertion          `yaml:"assertions"`
	Accept     []Acceptance         `yaml:"accept"`
	Logs       Logs                 `yaml:"logs"`
	Jobs       map[string]Job       `yaml:"jobs"`
	Queues     map[string]Queue     `yaml:"queues"`
	Monitor    Monitor              `yaml:"monitor"`
	Notify     Notify               `yaml:"notify"`
	Listen     string               `yaml:"listen"`
	TimeZone   string               `yaml:"timezone"`
	Windows    map[string]Window    `yaml:"windows"`
	Pings      map[string]Ping      `yaml:"pings"`
	Checklists map[string]Checklist `yaml:"checklists"`
}

// common are the keys of every service, whatever its kind.
type common struct {
	Kind  string        `yaml:"kind"`
	Title string        `yaml:"title"`
	After []string      `yaml:"after"`
	Limit quantity.Rate `yaml:"limit"`
	// RunsIn is TARGET/SERVICE of a target that manages containers.
	RunsIn string `yaml:"runs_in"`
}

// reader fills a Config from the document and judges what one value alone does
// not show.
type reader struct {
	*decoder
	config *Config
	kinds  *service.Registry
}

func (r *reader) read(root ast.Node) {
	doc := document{Listen: "127.0.0.1:9470"}
	doc.Monitor.Defaults()
	r.decode(root, reflect.ValueOf(&doc).Elem(), "", 0)
	if len(r.problems) > 0 && r.problems[0].Path == "" {
		return // it is no declaration at all
	}
	c := r.config
	c.System, c.Language, c.Keep = doc.System, doc.Language, doc.Keep
	c.Reconcile = doc.Reconcile
	c.Assertions, c.Accept, c.Logs = doc.Assertions, doc.Accept, doc.Logs
	c.Jobs, c.Queues = doc.Jobs, doc.Queues
	c.Monitor, c.Notify, c.Listen, c.TimeZone = doc.Monitor, doc.Notify, doc.Listen, doc.TimeZone
	c.Windows, c.Pings, c.Checklists = doc.Windows, doc.Pings, doc.Checklists
	c.State, c.Scratch = c.Resolve(doc.State), Scratch{Dir: c.Resolve(doc.Scratch.Dir)}
	c.Repository = doc.Repository
	for _, dir := range doc.Tools {
		c.Tools = append(c.Tools, c.Resolve(dir))
	}
	for _, e := range doc.Services {
		r.service(e)
	}
	r.general(doc)
	r.repository()
	r.dependencies()
	r.keep()
	r.reconcile()
	r.assertions()
	r.accept()
	r.jobs()
	r.queues()
	r.serve()
}

// reserved is under which name a run says what it found about upkeep itself.
const reserved = "upkeep"

// service reads one entry under services:. Its common keys are taken out first;
// the rest is the kind's.
func (r *reader) service(e entry) {
	r.name(e.path, e.name)
	if e.name == reserved {
		r.addf(e.path, "the name %q is that of upkeep's own results; choose another", reserved)
	}
	node := r.resolve(e.node)
	if node == nil && touches(r.problems, e.path) {
		return
	}
	if node == nil {
		r.addf(e.path, "must name its kind: {kind: KIND}")
		return
	}
	var shared common
	ours := fieldsOf(reflect.ValueOf(&shared).Elem())
	var rest []entry
	for _, key := range r.mapping(node, e.path, 1) {
		if field, ok := ours.byName[key.name]; ok {
			r.decode(key.node, field, key.path, 2)
		} else {
			rest = append(rest, key)
		}
	}
	for _, key := range rest {
		if shared.Kind == "" && nearest.Word(key.name, ours.names) == "kind" {
			r.unknownKey(key, ours.names)
			return
		}
	}
	kind, ok := r.kind(e, shared.Kind)
	if !ok {
		return
	}
	config := kind.NewConfig()
	r.kindConfig(config, rest, ours.names)
	r.add(kind.Validate(config).Under(e.path))
	r.config.Services = append(r.config.Services, Service{Name: e.name, Title: shared.Title, Kind: kind, Config: config,
		After: shared.After, Limit: quantity.Bytes(shared.Limit), RunsIn: r.place(e.path+".runs_in", shared.RunsIn),
		Line: r.places[e.path].Line})
}

// place takes TARGET/SERVICE apart and reports what does not name both.
func (r *reader) place(path, text string) service.Place {
	target, unit, _ := strings.Cut(text, "/")
	if text != "" && (target == "" || unit == "") {
		r.addf(path, "must name a service of a compose target: stack/postgres; is %q", text)
		return service.Place{}
	}
	return service.Place{Target: target, Unit: unit}
}

func (r *reader) kindConfig(config any, keys []entry, common []string) {
	theirs := fieldsOf(reflect.ValueOf(config).Elem())
	for _, key := range keys {
		if field, ok := theirs.byName[key.name]; ok {
			r.decode(key.node, field, key.path, 2)
			continue
		}
		r.unknownKey(key, slices.Concat(theirs.names, common))
	}
}

func (r *reader) kind(e entry, name string) (service.Kind, bool) {
	path := e.path + ".kind"
	kind, ok := r.kinds.Lookup(name)
	if ok || touches(r.problems, path) || touches(r.problems, e.path) && name == "" {
		return kind, ok
	}
	var known []string
	for _, k := range r.kinds.Kinds() {
		known = append(known, k.Name())
	}
	word := nearest.Word(name, known)
	switch {
	case name == "":
		r.addf(path, "must be given; known kinds: %s", list(known))
	case word != "":
		r.addf(path, "unknown kind %q; did you mean %q?", name, word)
	default:
		r.addf(path, "unknown kind %q; this version has: %s", name, list(known))
	}
	return kind, false
}

// longestName is that of a label in other tools: 63 letters.
const longestName = 63

// name reports a name that could not stand in a command or a file name.
func (r *reader) name(path, name string) {
	form := regexp.MustCompile(`^[\p{Han}a-zA-Z][\p{Han}a-zA-Z0-9_-]*$`)
	if !form.MatchString(name) || len([]rune(name)) > longestName {
		r.addf(path, "the name must begin with a letter, go on with letters, digits, _ or -, and have at most %d of them", longestName)
	}
}

func (r *reader) general(doc document) {
	switch {
	case doc.System != "":
		r.name("system", doc.System)
	case !touches(r.problems, "system"):
		r.addf("system", "must be given: the name of the system as a whole")
	}
	if !slices.Contains([]string{"", "en", "zh"}, doc.Language) {
		r.addf("language", "must be en or zh, is %q", doc.Language)
	}
	if len(doc.Services) == 0 && !touches(r.problems, "services") {
		r.addf("services", "must name at least one service; upkeep kinds lists what there is")
	}
}

func (r *reader) repository() {
	repo := &r.config.Repository
	scheme, _, remote := strings.Cut(repo.Path, ":")
	switch {
	case remote && slices.Contains([]string{"s3", "sftp", "webdav", "http", "https", "rclone"}, scheme):
		r.addf("repository.path", "must be a directory; this version keeps no copies in %s: yet", scheme)
	case repo.Path == "" && !repo.Password.IsZero():
		r.addf("repository.path", "must be given where a password is")
	case repo.Path != "" && repo.Password.IsZero() && !touches(r.problems, "repository.password"):
		r.addf("repository.password", "must be given where a path is: file:secrets/repository, with the password in that file")
	}
	repo.Path = r.config.Resolve(repo.Path)
}

// dependencies reports unknown names in after: and in keys that name another
// service, and cycles.
func (r *reader) dependencies() {
	var names []string
	after := map[string][]string{}
	for _, s := range r.config.Services {
		names = append(names, s.Name)
		after[s.Name] = s.After
	}
	for _, s := range r.config.Services {
		for i, other := range s.After {
			r.target(item("services."+s.Name+".after", i), other)
		}
		if s.RunsIn.Target != "" {
			r.target("services."+s.Name+".runs_in", s.RunsIn.Target)
		}
		r.stopped(s)
		if named, ok := s.Config.(interface{ Peers() []service.PeerRef }); ok {
			for _, peer := range named.Peers() {
				r.target("services."+s.Name+"."+peer.Path, peer.Target)
				r.offersTo("services."+s.Name+"."+peer.Path, peer)
			}
		}
		// Each cycle is reported once, where its first service stands.
		if cycle := cycleFrom(s.Name, after); cycle != nil && firstOf(names, cycle) == s.Name {
			r.addf("services."+s.Name+".after", "waits for itself: %s", strings.Join(cycle, " → "))
		}
	}
}

// offersTo reports a service that cannot do what another one needs it for.
func (r *reader) offersTo(path string, peer service.PeerRef) {
	for _, s := range r.config.Services {
		if s.Name == peer.Target && peer.Offers != "" && !s.Kind.Offers(peer.Offers) {
			r.addf(path, "the kind %s does not offer %s", s.Kind.Name(), peer.Offers)
		}
	}
}

// stopped reports a service that a copy stops and nothing could start again.
func (r *reader) stopped(s Service) {
	path := "services." + s.Name + ".runs_in"
	switch {
	case s.Stops() == service.Stops{}:
	case s.RunsIn.Target == "" && !touches(r.problems, path):
		r.addf(path, "must say where it runs, because its copy stops it: stack/%s", s.Name)
	default:
		r.offers(path, s.RunsIn.Target, "switch", "the kind %s cannot stop and start services")
	}
}

// cycleFrom returns the names on a way from name back to it, or nil.
func cycleFrom(name string, after map[string][]string) []string {
	seen := map[string]bool{}
	var walk func(at string, way []string) []string
	walk = func(at string, way []string) []string {
		for _, next := range after[at] {
			if next == name {
				return append(way, next)
			}
			if !seen[next] {
				seen[next] = true
				if cycle := walk(next, append(slices.Clone(way), next)); cycle != nil {
					return cycle
				}
			}
		}
		return nil
	}
	return walk(name, []string{name})
}

func firstOf(names, some []string) string {
	i := slices.IndexFunc(names, func(name string) bool { return slices.Contains(some, name) })
	return names[i]
}

// target reports a name that is no service. Services that could not be read
// still count as declared.
func (r *reader) target(path, name string) {
	if _, declared := r.places["services."+name]; declared {
		return
	}
	var known []string
	for _, s := range r.config.Services {
		known = append(known, s.Name)
	}
	if word := nearest.Word(name, known); word != "" {
		r.addf(path, "there is no service %q; did you mean %q?", name, word)
		return
	}
	r.addf(path, "there is no service %q; there are: %s", name, list(known))
}

// isSlug reports whether an ID has the form KIND.slug.
func isSlug(id string) bool {
	kind, slug, found := strings.Cut(id, ".")
	return found && kind != "" && slug != "" && !strings.ContainsFunc(id, unicode.IsSpace)
}
