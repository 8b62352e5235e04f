module tools/cyclonedx

go 1.26

require github.com/CycloneDX/cyclonedx-gomod v1.10.0
