package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/*.js assets/*.css assets/*.svg
var files embed.FS

// asset is one file that pages load, as it is sent.
type asset struct {
	kind, tag string
	body, zip []byte
}

// assets are all such files by the name under which they are asked for. It holds a digest
// of the content, so a browser keeps them for good and never shows an old one.
type assets struct {
	named map[string]asset
	names map[string]string // by file
}

func newAssets() assets {
	all := assets{map[string]asset{}, map[string]string{}}
	found, err := fs.Glob(files, "assets/*")
	if err != nil {
		panic(fmt.Sprintf("list the page's files: %v", err)) // the pattern is ours
	}
	for _, file := range found {
		body, err := files.ReadFile(file)
		if err != nil {
			panic(fmt.Sprintf("read %s: %v", file, err)) // it is embedded
		}
		sum := fmt.Sprintf("%x", sha256.Sum256(body))[:12]
		base, ending := strings.TrimSuffix(path.Base(file), path.Ext(file)), path.Ext(file)
		name := base + "." + sum + ending
		all.names[path.Base(file)] = name
		all.named[name] = asset{kind: mime.TypeByExtension(ending), tag: `"` + sum + `"`, body: body, zip: zipped(body)}
	}
	return all
}

func zipped(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // a buffer takes all
	_ = z.Close()
	return b.Bytes()
}

// at is the address of a file.
func (a assets) at(file string) string { return "/assets/" + a.names[file] }

// ServeHTTP sends a file.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, known := a.named[r.PathValue("file")]
	if !known {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", found.kind)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", found.tag)
	h.Set("Vary", "Accept-Encoding")
	body := found.body
	switch {
	case matches(r, found.tag):
		w.WriteHeader(http.StatusNotModified)
		return
	case zips(r):
		h.Set("Content-Encoding", "gzip")
		body = found.zip
	}
	_, _ = w.Write(body) // whoever asked has gone
}
