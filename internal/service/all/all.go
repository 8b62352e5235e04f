// Package all is the list of kinds that ship. Adding a kind is a folder beside
// this one and a line here.
package all

import (
	"upkeep/internal/service"
	"upkeep/internal/service/endpoint"
	"upkeep/internal/service/files"
	"upkeep/internal/service/host"
	"upkeep/internal/service/logs"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/process"
	"upkeep/internal/service/redis"
)

// Kinds returns every kind that ships.
func Kinds() *service.Registry {
	return service.NewRegistry(endpoint.Kind, files.Kind, host.Kind, logs.Kind, postgres.Kind, process.Kind, redis.Kind)
}
