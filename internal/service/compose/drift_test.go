package compose

import (
	"os"
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

// TestOtherSpellingsAgreeAfterUp brings up what compose files of real systems use:
// strings for lists, files of variables, ranges, long forms, replicas.
func TestOtherSpellingsAgreeAfterUp(t *testing.T) {
	s := stack(t)
	must(t, os.WriteFile(filepath.Join(s.Dir, "app.env"), []byte("FROM_FILE=one two\nQUOTED=\"a # b\"\nCOPIED=${STORE_PASSWORD}\n"), 0o600))
	must(t, os.WriteFile(s.File, []byte(`version: "3.8"
x-common: &common
  image: lab/base:1
  init: true
  logging: {driver: json-file, options: {max-size: "1m"}}
services:
  app:
    <<: *common
    command: sh -c "echo 'hello world'; exec sleep 600"
    environment:
      - PLAIN=1
      - DOLLAR=$$HOME
      - FILLED=${STORE_PASSWORD}
      - DEFAULTED=${NOBODY:-x}
      - PASSED_THROUGH
    env_file: [app.env, {path: absent.env, required: false}]
    healthcheck: {test: "true", interval: 1s}
    expose: ["9999"]
    ports: ["127.0.0.1:18100-18101:8100-8101", {target: 8200, host_ip: 127.0.0.1, protocol: udp, mode: host}]
    volumes:
      - ./seed:/a
      - {type: bind, source: ./seed, target: /b, read_only: true}
      - {type: volume, source: data, target: /c, volume: {nocopy: true}}
      - {type: tmpfs, target: /d, tmpfs: {size: 65536}}
      - /var/unnamed
    configs: [{source: settings, target: /etc/settings}]
    secrets: [{source: word, target: renamed}]
    networks: {front: {aliases: [web]}, back: null}
    extra_hosts: ["elsewhere:10.0.0.9"]
    labels: ["a.b=c", "empty"]
    container_name: spelled-app
    hostname: app
    ulimits: {nofile: 1024}
    stop_grace_period: 1s
    deploy: {resources: {limits: {memory: 64M}}, restart_policy: {condition: any}}
  twins:
    <<: *common
    scale: 2
    read_only: true
    restart: "no"
    network_mode: none
    healthcheck: {disable: true}
  beside:
    <<: *common
    network_mode: service:app
networks: {front: {name: spelled-front}, back: {}}
volumes: {data: {name: spelled-data}}
configs: {settings: {file: ./app.env}}
secrets: {word: {file: ./app.env}}
`), 0o600))
	must(t, s.Up(t.Context()))
	in := declare(t, s)
	gone(t, in, "unknown health-unknown app")
	v := check(t, in)
	for _, f := range v.Findings {
		t.Errorf("%s %s: %v", f.ID, f.Subject, f.Args)
	}
	docker(t, "stop", filepath.Base(s.Dir)+"-twins-2")
	finds(t, in, "critical exited "+filepath.Base(s.Dir)+"-twins-2")
}
