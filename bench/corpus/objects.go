package corpus

import (
	"bytes"
	"fmt"
	"path"
)

// Object is one object of a bucket.
type Object struct {
	Key  string
	Size int64
	file file
}

// Objects plans a bucket: sizes and content are those of a tree, and a thousand objects
// each lie below one project.
func Objects(s Spec) []Object {
	var all []Object
	for i, f := range plan(s) {
		all = append(all, Object{fmt.Sprintf("projects/%04d/%s", i/1000, path.Base(f.path)), f.size, f})
	}
	return all
}

// Content is made anew with every call.
func (o Object) Content() (*bytes.Reader, error) {
	var b bytes.Buffer
	b.Grow(int(o.Size))
	write := writeNoise
	if o.file.text {
		write = writeText
	}
	if err := write(&b, o.file.seed, o.Size); err != nil {
		return nil, fmt.Errorf("make the content of %s: %w", o.Key, err)
	}
	return bytes.NewReader(b.Bytes()), nil
}
