module tools/nfpm

go 1.26

require github.com/goreleaser/nfpm/v2 v2.45.2
