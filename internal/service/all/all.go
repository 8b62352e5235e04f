// Package all is the list of kinds that ship. Adding a kind is a folder beside
// this one and a line here.
package all

import (
	"upkeep/internal/service"
	"upkeep/internal/service/celery"
	"upkeep/internal/service/compose"
	"upkeep/internal/service/dataset"
	"upkeep/internal/service/endpoint"
	"upkeep/internal/service/files"
	"upkeep/internal/service/host"
	"upkeep/internal/service/logs"
	"upkeep/internal/service/neo4j"
	"upkeep/internal/service/pilotbench"
	"upkeep/internal/service/postgres"
	"upkeep/internal/service/process"
	"upkeep/internal/service/rabbitmq"
	"upkeep/internal/service/redis"
	"upkeep/internal/service/s3"
)

// Kinds returns every kind that ships.
func Kinds() *service.Registry {
	return service.NewRegistry(celery.Kind, compose.Kind, dataset.Kind, endpoint.Kind, files.Kind, host.Kind, logs.Kind, neo4j.Kind,
		pilotbench.Kind, postgres.Kind, process.Kind, rabbitmq.Kind, redis.Kind, s3.Kind)
}
