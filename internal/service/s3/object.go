package s3

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"upkeep/internal/service"
)

// object is one version of an object or one delete marker, as a listing or a copy
// tells it.
type object struct {
	name     string // of its part: the key, and for an earlier version what is behind it
	key      string
	version  string // as the server names it, empty where it keeps none
	marker   bool   // says that the object was deleted then
	size     int64
	etag     string // compared for equality only: nothing is assumed about how it is made
	modified time.Time
	attrs    map[string]string // what a restore puts back, as in Part.Attrs
	known    bool              // attrs are those of the server; else they have to be asked for
	part     service.Part      // of a copy
}

// Names in Part.Attrs. What begins with one of the prefixes is put back.
const (
	attrETag     = "etag"
	attrModified = "modified"
	attrVersion  = "version"
	attrMarker   = "delete_marker"
	attrClass    = "storage_class"
	attrLockMode = "lock_mode"
	attrLockTill = "lock_until"
	attrHold     = "legal_hold"

	headerPrefix = "header:"
	metaPrefix   = "meta:"
	tagPrefix    = "tag:"
)

// headers of an object that belong to it as its metadata does.
var headers = [...]string{"content-type", "content-encoding", "content-disposition", "content-language", "cache-control",
	"expires", "x-amz-website-redirect-location"}

// separator divides the key from the version. No key holds it, and it sorts before
// all that keys hold, so that the versions of a key stand together.
const separator = "\x00"

// nameVersion names an earlier version. The sequence orders versions of one
// millisecond: a listing is not finer.
func nameVersion(key string, milli int64, sequence int, version string) string {
	return fmt.Sprintf("%s%s%012x.%04x.%s", key, separator, milli, sequence, version)
}

// keyOf is the key in the name of a part.
func keyOf(name string) string {
	key, _, _ := strings.Cut(name, separator)
	return key
}

// current reports whether it is what a plain request of the key is answered with.
func (o *object) current() bool { return o.name == o.key }

// partAttrs is everything about the object that its content does not hold.
func (o *object) partAttrs() map[string]string {
	all := maps.Clone(o.attrs)
	if all == nil {
		all = map[string]string{}
	}
	all[attrModified] = o.modified.UTC().Format(time.RFC3339Nano)
	if o.version != "" {
		all[attrVersion] = o.version
	}
	if o.marker {
		all[attrMarker] = "yes"
	} else {
		all[attrETag] = o.etag
	}
	return all
}

// contentIdentity changes with every write of the object.
func (o *object) contentIdentity() string {
	return o.etag + " " + o.version + " " + strconv.FormatInt(o.modified.UnixNano(), 36)
}

// fromPart reads back what partAttrs wrote.
func fromPart(p service.Part) (object, error) {
	modified, err := time.Parse(time.RFC3339Nano, p.Attrs[attrModified])
	if err != nil {
		return object{}, fmt.Errorf("part %q has no time: %w", p.Name, service.ErrDamaged)
	}
	o := object{name: p.Name, key: keyOf(p.Name), version: p.Attrs[attrVersion], marker: p.Attrs[attrMarker] != "",
		size: p.Size, etag: p.Attrs[attrETag], modified: modified, attrs: p.Attrs, known: true, part: p}
	if !o.marker && (p.Open == nil || p.Size < 0) {
		return object{}, fmt.Errorf("part %q has no content: %w", p.Name, service.ErrDamaged)
	}
	return o, nil
}

// restorable keeps what a restore puts back: headers, metadata, tags, holds and
// locks that still hold at the time. Nothing can be stored without a content type.
func restorable(attrs map[string]string, now time.Time) map[string]string {
	kept := map[string]string{headerPrefix + "content-type": "application/octet-stream"}
	for name, value := range attrs {
		prefix, _, found := strings.Cut(name, ":")
		if found && (prefix+":" == headerPrefix || prefix+":" == metaPrefix || prefix+":" == tagPrefix) || name == attrHold {
			kept[name] = value
		}
	}
	if until, err := time.Parse(time.RFC3339, attrs[attrLockTill]); err == nil && until.After(now) {
		kept[attrLockMode], kept[attrLockTill] = attrs[attrLockMode], attrs[attrLockTill]
	}
	return kept
}

// set stores a value under a name, unless it is empty.
func (o *object) set(name, value string) {
	if value != "" {
		o.attrs[name] = value
	}
}

// fromListing takes an entry of a listing. Only MinIO tells metadata there.
func fromListing(info minio.ObjectInfo, complete bool) object {
	o := object{name: info.Key, key: info.Key, version: info.VersionID, marker: info.IsDeleteMarker, size: info.Size,
		etag: info.ETag, modified: info.LastModified, attrs: map[string]string{}}
	o.known = o.marker || complete && info.UserMetadata != nil
	if o.marker {
		o.size = 0
		return o
	}
	o.set(attrClass, info.StorageClass)
	for name, value := range info.UserMetadata {
		o.header(name, value)
	}
	for name, value := range info.UserTags {
		o.attrs[tagPrefix+name] = value
	}
	return o
}

// header sorts one header of an object; those that describe the answer and not the
// object are left out.
func (o *object) header(name, value string) {
	name = strings.ToLower(name)
	if meta, is := strings.CutPrefix(name, "x-amz-meta-"); is {
		o.attrs[metaPrefix+meta] = value
		return
	}
	switch name {
	case "x-amz-object-lock-mode":
		o.set(attrLockMode, value)
	case "x-amz-object-lock-retain-until-date":
		o.set(attrLockTill, value)
	case "x-amz-object-lock-legal-hold":
		if value == "ON" {
			o.set(attrHold, value)
		}
	case "x-amz-storage-class":
		o.set(attrClass, value)
	}
	for _, kept := range headers {
		if name == kept {
			o.set(headerPrefix+name, value)
		}
	}
}
