module tools/restic

go 1.26

require github.com/restic/restic v0.18.1
