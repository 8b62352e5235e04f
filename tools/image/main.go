// Command image puts a program and its user on a base of Debian packages and writes that as an
// archive for docker load. The same input gives the same bytes: the time of everything is
// $SOURCE_DATE_EPOCH.
//
//	image -base base.tar -program upkeep -tag upkeep:1.0.0 -revision COMMIT -out upkeep.tar
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// user is a number that no Debian package takes, so that volumes keep their owner.
const (
	user  = "upkeep"
	uid   = 10001
	home  = "/var/lib/upkeep"
	place = "/etc/upkeep"
)

type request struct{ base, program, tag, revision, out string }

func main() {
	var r request
	flag.StringVar(&r.base, "base", "", "root file system, a tar")
	flag.StringVar(&r.program, "program", "", "what runs in it")
	flag.StringVar(&r.tag, "tag", "", "NAME:VERSION")
	flag.StringVar(&r.revision, "revision", "", "commit of the source")
	flag.StringVar(&r.out, "out", "", "archive to write")
	flag.Parse()
	if err := r.write(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func (r request) write() error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	made := time.Unix(seconds, 0).UTC()
	tag, err := name.NewTag(r.tag)
	if err != nil {
		return err
	}
	image, err := r.image(tag.TagStr(), made)
	if err != nil {
		return err
	}
	return tarball.WriteToFile(r.out, tag, image)
}

func (r request) image(version string, made time.Time) (v1.Image, error) {
	base, err := layer(func() (io.ReadCloser, error) { return os.Open(r.base) })
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", r.base, err)
	}
	files, err := r.files(made)
	if err != nil {
		return nil, err
	}
	top, err := layer(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files)), nil })
	if err != nil {
		return nil, err
	}
	image, err := mutate.Append(empty.Image,
		mutate.Addendum{Layer: base, History: v1.History{Created: v1.Time{Time: made}, CreatedBy: "Debian packages"}},
		mutate.Addendum{Layer: top, History: v1.History{Created: v1.Time{Time: made}, CreatedBy: "upkeep and its user"}})
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, r.config(image, version, made))
}

func layer(open func() (io.ReadCloser, error)) (v1.Layer, error) {
	return tarball.LayerFromOpener(open, tarball.WithCompressionLevel(gzip.BestSpeed))
}

func (r request) config(image v1.Image, version string, made time.Time) *v1.ConfigFile {
	all, err := image.ConfigFile()
	if err != nil { // it was made just now, in memory
		panic(err)
	}
	all.Architecture, all.OS, all.Created = "amd64", "linux", v1.Time{Time: made}
	all.Config = v1.Config{
		User:       fmt.Sprintf("%d:%d", uid, uid),
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=" + home},
		Entrypoint: []string{"/usr/bin/upkeep"},
		Cmd:        []string{"serve"},
		WorkingDir: place,
		Volumes:    map[string]struct{}{home: {}},
		StopSignal: "SIGTERM",
		Labels: map[string]string{
			"org.opencontainers.image.title":    "upkeep",
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.revision": r.revision,
			"org.opencontainers.image.licenses": "Apache-2.0",
		},
	}
	return all
}

// files is the layer above the base: the program, its user, and the directories that are its.
func (r request) files(made time.Time) ([]byte, error) {
	program, err := os.ReadFile(r.program)
	if err != nil {
		return nil, err
	}
	users, err := r.fromBase("etc/passwd", "etc/group")
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	put := func(h tar.Header, content string) {
		h.Size, h.ModTime, h.Format = int64(len(content)), made, tar.FormatPAX
		err = errors.Join(err, w.WriteHeader(&h))
		_, failed := io.WriteString(w, content)
		err = errors.Join(err, failed)
	}
	put(tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644},
		users["etc/passwd"]+fmt.Sprintf("%s:x:%d:%d::%s:/usr/sbin/nologin\n", user, uid, uid, home))
	put(tar.Header{Name: "etc/group", Typeflag: tar.TypeReg, Mode: 0o644}, users["etc/group"]+fmt.Sprintf("%s:x:%d:\n", user, uid))
	put(tar.Header{Name: place[1:] + "/", Typeflag: tar.TypeDir, Mode: 0o755}, "")
	put(tar.Header{Name: home[1:] + "/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: uid, Gid: uid}, "")
	put(tar.Header{Name: "usr/bin/upkeep", Typeflag: tar.TypeReg, Mode: 0o755}, string(program))
	return archive.Bytes(), errors.Join(err, w.Close())
}

// fromBase reads files out of the base.
func (r request) fromBase(names ...string) (map[string]string, error) {
	f, err := os.Open(r.base)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	found := map[string]string{}
	for archive := tar.NewReader(f); len(found) < len(names); {
		h, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("look for %s in %s: %w", strings.Join(names, ", "), r.base, err)
		}
		for _, name := range names {
			if strings.TrimPrefix(h.Name, "./") == name {
				text, err := io.ReadAll(archive)
				if err != nil {
					return nil, err
				}
				found[name] = string(text)
			}
		}
	}
	return found, nil
}
