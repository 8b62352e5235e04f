module tools/golangci

go 1.26

require github.com/golangci/golangci-lint/v2 v2.11.0
