module tools/licenses

go 1.26

require github.com/google/go-licenses/v2 v2.0.1
