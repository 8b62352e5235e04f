package alertfile

import (
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is a YAML text with the places of its keys. Its root is nil where the
// text is no YAML.
type document struct {
	lines []string
	root  *yaml.Node
	keys  []key // in the order of the text
}

// key is one key of a mapping, or one item of a list (then without a name).
type key struct {
	path   string // "receivers[0].email_configs[0].to"
	name   string
	at     *yaml.Node // the key; of an item, its value
	value  *yaml.Node
	parent *yaml.Node
	inFlow bool // written as {a: b}: its lines are not its own
}

func parse(text string) document {
	d := document{lines: strings.Split(text, "\n")}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil || len(root.Content) == 0 {
		return d
	}
	d.root = root.Content[0]
	d.walk("", d.root, false)
	return d
}

func (d *document) walk(path string, n *yaml.Node, flow bool) {
	flow = flow || n.Style&yaml.FlowStyle != 0
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := key{join(path, n.Content[i].Value), n.Content[i].Value, n.Content[i], n.Content[i+1], n, flow}
			d.keys = append(d.keys, k)
			d.walk(k.path, k.value, flow)
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			k := key{path + "[" + strconv.Itoa(i) + "]", "", item, item, n, flow}
			d.keys = append(d.keys, k)
			d.walk(k.path, item, flow)
		}
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// find returns the first key for which is holds.
func (d *document) find(is func(key) bool) (key, bool) {
	for _, k := range d.keys {
		if is(k) {
			return k, true
		}
	}
	return key{}, false
}

func (d *document) named(path string) (key, bool) {
	return d.find(func(k key) bool { return k.path == path })
}

// position says where a path stands, or its nearest ancestor that is there.
func (d *document) position(path string) (line, column int) {
	for ; path != ""; path = above(path) {
		if k, ok := d.named(path); ok {
			return k.at.Line, k.at.Column
		}
	}
	return 0, 0
}

// above is the path of what holds path.
func above(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// last is the name of a path's end, without its index: of
// "receivers[0].email_configs[1]" "email_configs".
func last(path string) string {
	path = path[strings.LastIndexByte(path, '.')+1:]
	name, _, _ := strings.Cut(path, "[")
	return name
}

// end is the line behind a key's last line: the next one that is not indented
// deeper. Blank lines and comments before that are not the key's.
func (d *document) end(k key) int {
	end := k.at.Line + 1
	for i := k.at.Line; i < len(d.lines); i++ { // lines[i] is line i+1
		bare := strings.TrimLeft(d.lines[i], " ")
		indent := len(d.lines[i]) - len(bare)
		switch {
		case bare == "" || strings.HasPrefix(bare, "#") && !literal(k.value):
			continue
		case indent >= k.at.Column, indent == k.at.Column-1 && strings.HasPrefix(bare, "- ") && k.value.Kind == yaml.SequenceNode:
			end = i + 2
		default:
			return end
		}
	}
	return end
}

func literal(n *yaml.Node) bool { return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 }

// block is a key's lines, the first without what stands before the key.
func (d *document) block(k key) []string {
	block := append([]string{}, d.lines[k.at.Line-1:d.end(k)-1]...)
	block[0] = block[0][k.at.Column-1:]
	return block
}

// edit puts lines in the place of others; From = To inserts before From.
type edit struct {
	from, to int // line numbers from 1, to not included
	with     []string
}

// rewrite replaces a key's lines. The first of with takes the key's place and
// whatever stood before it (the dash of a list).
func (d *document) rewrite(k key, with []string) edit {
	lines := make([]string, len(with))
	for i, line := range with {
		lines[i] = strings.TrimRight(strings.Repeat(" ", k.at.Column-1)+line, " ")
	}
	if len(lines) > 0 {
		lines[0] = d.lines[k.at.Line-1][:k.at.Column-1] + with[0]
	}
	return edit{k.at.Line, d.end(k), lines}
}

// rename gives a key another name and leaves everything else as it is.
func (d *document) rename(k key, name string) edit {
	line := d.lines[k.at.Line-1]
	rest := strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(line[k.at.Column-1:], `"'`), k.name), `"'`)
	return edit{k.at.Line, k.at.Line + 1, []string{line[:k.at.Column-1] + name + rest}}
}

// reword replaces a scalar that stands on one line.
func (d *document) reword(n *yaml.Node, value string) (edit, bool) {
	line := d.lines[n.Line-1]
	written, ok := strings.CutPrefix(line[n.Column-1:], quoted(n, n.Value))
	if !ok || literal(n) {
		return edit{}, false
	}
	return edit{n.Line, n.Line + 1, []string{line[:n.Column-1] + quoted(n, value) + written}}, true
}

func quoted(n *yaml.Node, value string) string {
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return strconv.Quote(value)
	}
	return value
}

// apply makes edits; of two that touch one line, the first counts.
func (d *document) apply(edits []edit) string {
	lines := make([][]string, len(d.lines)+2)
	for i, line := range d.lines {
		lines[i+1] = []string{line}
	}
	taken := map[int]bool{}
	for _, e := range edits {
		if overlaps(taken, e) {
			continue
		}
		for n := e.from; n < e.to; n++ {
			taken[n], lines[n] = true, nil
		}
		lines[e.from] = append(append([]string{}, e.with...), lines[e.from]...)
	}
	var all []string
	for _, l := range lines {
		all = append(all, l...)
	}
	return strings.Join(all, "\n")
}

func overlaps(taken map[int]bool, e edit) bool {
	for n := e.from; n < max(e.to, e.from+1); n++ {
		if taken[n] {
			return true
		}
	}
	return false
}

// excerpt sets lines off from the text around them. Passwords in them are not shown.
func excerpt(lines []string) string {
	return "\n" + Hidden(strings.Join(indented(bareBlock(lines, margin(lines)), "    "), "\n"))
}

// secrets are the keys whose values nobody should read over a shoulder or in a log;
// those that name a file are none.
var secrets = regexp.MustCompile(`(?m)^(.*(?:password|secret|token|_key|credentials|user_key|api_url|webhook_url)["']?\s*:\s*)[^\s#|>].*$`)

// Hidden is a file with its passwords left out, to be shown.
func Hidden(text string) string { return secrets.ReplaceAllString(text, "${1}…") }

// margin is how far all lines are indented.
func margin(lines []string) int {
	least := -1
	for _, line := range lines {
		if n := len(line) - len(strings.TrimLeft(line, " ")); line != "" && (least < 0 || n < least) {
			least = n
		}
	}
	return max(least, 0)
}

// bareBlock takes an indentation from every line that has it.
func bareBlock(lines []string, indent int) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = strings.TrimPrefix(line, strings.Repeat(" ", indent))
	}
	return all
}

func indented(lines []string, by string) []string {
	all := make([]string, len(lines))
	for i, line := range lines {
		all[i] = by + line
	}
	return all
}
