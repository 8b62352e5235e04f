package compose

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep/lab"
)

// eachDifferenceHasItsName changes one key after the other and wants that key to be
// named and no other.
func eachDifferenceHasItsName(t *testing.T, s lab.Stack) {
	in := declare(t, s)
	const command = "    command: [sleep, infinity]\n    init: true\n    stop_grace_period: 3s\n    healthcheck"
	for _, tc := range []struct{ name, from, to string }{
		{"command", command, strings.Replace(command, "infinity", "1h", 1)},
		{"entrypoint", command, "    entrypoint: [/bin/busybox]\n" + command},
		{"environment", "MODE: plain", "MODE: fancy"},
		{"healthcheck", `[CMD, test, "!", -e, /tmp/sick]`, `[CMD, "true"]`},
		{"labels", "    healthcheck:", "    labels: {team: data}\n    healthcheck:"},
		{"logging", "max-size: 1m", "max-size: 2m"},
		{"mem_limit", "    healthcheck:", "    mem_limit: 512m\n    healthcheck:"},
		{"networks", "    healthcheck:", "    networks: [default, other]\n    healthcheck:"},
		{"ports", "    healthcheck:", "    ports: [\"127.0.0.1::9000\"]\n    healthcheck:"},
		{"privileged", "    healthcheck:", "    privileged: true\n    healthcheck:"},
		{"restart", "    healthcheck:", "    restart: on-failure:3\n    healthcheck:"},
		{"user", "    healthcheck:", "    user: \"65534\"\n    healthcheck:"},
		{"volumes", `"./seed:/seed:ro"`, `"./seed:/seed"`},
		{"working_dir", "    healthcheck:", "    working_dir: /data\n    healthcheck:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			change(t, s, tc.from, tc.to)
			if tc.name == "networks" {
				change(t, s, "volumes:\n  stored", "networks: {other: {}}\nvolumes:\n  stored")
			}
			drift := finds(t, in, "warning config-drift store")
			if got := drift.Args["differs"].([]string); !slices.Equal(got, []string{tc.name}) {
				t.Errorf("%v differs", got)
			}
			original(t, s)
			gone(t, in, "warning config-drift store")
		})
	}
}

// TestEveryKeyThatIsComparedAgreesAfterUp brings up a service that uses all of them.
func TestEveryKeyThatIsComparedAgreesAfterUp(t *testing.T) {
	s := upped(t, "    healthcheck:", `    entrypoint: [/bin/busybox]
    labels: {team: data}
    deploy: {resources: {limits: {memory: 256M}}}
    networks: [default, other]
    ports: ["127.0.0.1::9000", "9001", "127.0.0.1::53/udp"]
    restart: on-failure:3
    user: "0:0"
    tmpfs: [/run]
    secrets: [word]
    working_dir: /data/
    healthcheck:`, "./seed:/seed:ro", "./seed:/seed:ro\", \"/anonymous\", \"/etc/hostname:/etc/name",
		"volumes:\n  stored", "networks: {other: {}}\nsecrets: {word: {file: .env}}\nvolumes:\n  stored")
	if all := found(check(t, declare(t, s))); len(all) != 0 {
		t.Errorf("found %q in what compose has just made", all)
	}
}

func TestImages(t *testing.T) {
	s := upped(t)
	in := declare(t, s)
	docker(t, "tag", lab.BaseImage, "lab/other:2")
	t.Cleanup(func() { docker(t, "rmi", "lab/other:2") })
	change(t, s, "  web:\n    image: lab/base:1", "  web:\n    image: lab/other:2")
	differs := finds(t, in, "warning image-differs web")
	if differs.Args["runs"] != lab.BaseImage || differs.Args["image"] != "lab/other:2" {
		t.Errorf("%v", differs.Args)
	}
	must(t, s.Up(t.Context(), "--wait"))
	gone(t, in, "warning image-differs web")

	docker(t, "commit", filepath.Base(s.Dir)+"-store-1", "lab/other:2")
	outdated := finds(t, in, "warning image-outdated web")
	if outdated.Args["have"] == outdated.Args["newer"] {
		t.Errorf("%v", outdated.Args)
	}
	docker(t, "rmi", "--force", "lab/other:2")
	finds(t, in, "warning image-gone web")
	docker(t, "tag", lab.BaseImage, "lab/other:2")
	gone(t, in, "warning image-gone web")

	change(t, s, "image: lab/other:2", "image: lab/other")
	unpinned := finds(t, in, "warning image-unpinned")
	if !slices.Equal(unpinned.Args["images"].([]string), []string{"web (lab/other)"}) {
		t.Errorf("%v", unpinned.Args)
	}
}

func TestNamesOfImages(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"redis", "docker.io/library/redis:latest", true},
		{"redis:7", "redis:7.0", false},
		{"quay.io/minio/minio", "minio/minio", false},
	} {
		if sameImage(tc.a, tc.b) != tc.same {
			t.Errorf("%s and %s: not %t", tc.a, tc.b, tc.same)
		}
	}
	const digest = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	for name, want := range map[string]bool{"redis": false, "redis:latest": false, "redis:7": true, "redis" + digest: true, "redis:latest" + digest: true, "reg:5000/redis": false} {
		if pinned(name) != want {
			t.Errorf("pinned(%s) is not %t", name, want)
		}
	}
}
