package s3

import (
	"net/url"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"upkeep/internal/diag"
	"upkeep/internal/secret"
)

// Config declares one bucket.
type Config struct {
	Endpoint  string     `yaml:"endpoint"` // http://HOST:PORT or https://HOST[:PORT]
	Bucket    string     `yaml:"bucket"`
	Region    string     `yaml:"region"` // empty = the server is asked
	AccessKey secret.Ref `yaml:"access_key"`
	SecretKey secret.Ref `yaml:"secret_key"`
	CA        string     `yaml:"ca"` // PEM file with the authority of an https endpoint; empty = the system's
	// Prefix limits everything to the keys that begin with it.
	Prefix string `yaml:"prefix"`
	// Exclude are patterns of keys that are left alone. Without a slash they match the
	// last element of a key, else the whole key.
	Exclude []string `yaml:"exclude"`
	// Versions says that earlier versions are wanted: copied where the bucket keeps
	// them, and a warning where it does not.
	Versions bool `yaml:"versions"`
	// PathStyle puts the bucket into the path of an address, else into its host name.
	PathStyle bool `yaml:"path_style"`
}

// Defaults are those of a declaration that says nothing.
func (c *Config) Defaults() { c.Versions, c.PathStyle = true, true }

// Validate reports every problem at once, by path.
func (c *Config) Validate() (p diag.List) {
	if u, err := url.Parse(c.Endpoint); err != nil || !addressable(u) {
		p.Addf("endpoint", "must be http://HOST:PORT or https://HOST, without a path and without a login")
	}
	if err := s3utils.CheckValidBucketName(c.Bucket); err != nil {
		p.Addf("bucket", "is no name of a bucket: 3 to 63 letters, digits, dots and hyphens")
	}
	if c.AccessKey.IsZero() != c.SecretKey.IsZero() {
		p.Addf("secret_key", "access_key and secret_key belong together")
	}
	if strings.HasPrefix(c.Prefix, "/") {
		p.Addf("prefix", "must not begin with a slash: keys do not")
	}
	for _, pattern := range c.Exclude {
		if pattern == "" || !doublestar.ValidatePattern(pattern) {
			p.Addf("exclude", "is not a pattern: %q", pattern)
		}
	}
	return p
}

func addressable(u *url.URL) bool {
	return (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		strings.Trim(u.Path, "/") == "" && u.RawQuery == ""
}

// excluded reports whether a key is to be left alone.
func (c *Config) excluded(key string) bool {
	for _, pattern := range c.Exclude {
		name := key
		if !strings.Contains(pattern, "/") {
			name = path.Base(key)
		}
		if doublestar.MatchUnvalidated(pattern, name) {
			return true
		}
	}
	return false
}
