package seed

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// upload is one file and what the database says about it.
type upload struct {
	project, name, original, path, hash, mime string
	size                                      int64
}

// writeUploads writes the files below dir; without a dir it only says what they
// would be. Sizes run evenly over the orders of magnitude from 1 KB to 2 MB.
func (g generator) writeUploads(ctx context.Context, dir string) ([]upload, error) {
	all := make([]upload, 0, g.seed.Files)
	for n := range g.seed.Files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r := g.row("uploads", n)
		u := g.upload(r)
		content := r.content(u)
		sum := sha256.Sum256(content)
		u.hash = hex.EncodeToString(sum[:])
		all = append(all, u)
		if dir == "" {
			continue
		}
		path := filepath.Join(dir, u.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return nil, err
		}
		made, _ := r.stamps(200)
		if err := os.Chtimes(path, made, made); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (g generator) upload(r row) upload {
	ending, mime := ".pdf", "application/pdf"
	switch r.IntN(4) {
	case 0:
		ending, mime = ".md", "text/markdown"
	case 1:
		ending, mime = ".png", "image/png"
	}
	project, name := r.of("projects", g.sizes().projects), g.id("files", r.n)+ending
	return upload{project: project, name: name, original: r.thing() + ending, path: project + "/" + name, mime: mime,
		size: int64(1000 * math.Pow(2000, r.Float64()))}
}

// content is text for Markdown and noise for pictures; a document is half of each.
func (r row) content(u upload) []byte {
	var text bytes.Buffer
	limit := map[string]int64{"text/markdown": u.size, "application/pdf": u.size / 2}[u.mime]
	for int64(text.Len()) < limit {
		text.WriteString(r.text(4))
		text.WriteByte('\n')
	}
	content := make([]byte, u.size)
	n := copy(content[:limit], text.Bytes())
	var key [32]byte
	copy(key[:], u.name)
	_, _ = rand.NewChaCha8(key).Read(content[n:]) // documented never to fail
	return content
}
