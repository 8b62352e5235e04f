"""The knowledge graph: (:Entity {id, …})-[:RELATION {id, type, …}]->(:Entity). The id of
a node is the id of its row in kg_entities."""

from functools import lru_cache

from neo4j import Driver, GraphDatabase

from app.models import KGEntity, KGRelation
from app.settings import settings

SCHEMA = (
    "CREATE CONSTRAINT entity_id IF NOT EXISTS FOR (e:Entity) REQUIRE e.id IS UNIQUE",
    "CREATE INDEX entity_name_idx IF NOT EXISTS FOR (e:Entity) ON (e.name)",
    "CREATE INDEX entity_type_idx IF NOT EXISTS FOR (e:Entity) ON (e.type)",
)


@lru_cache
def driver() -> Driver:
    s = settings()
    return GraphDatabase.driver(s.neo4j_uri, auth=(s.neo4j_user, s.neo4j_password))


def prepare() -> None:
    for statement in SCHEMA:
        driver().execute_query(statement)


def put_entities(entities: list[KGEntity]) -> None:
    rows = [
        {"id": e.id, "name": e.name, "type": e.entity_type, "description": e.description, "confidence": e.confidence_score}
        for e in entities
    ]
    driver().execute_query(
        "UNWIND $rows AS row MERGE (e:Entity {id: row.id}) "
        "SET e.name = row.name, e.type = row.type, e.description = row.description, "
        "e.confidence = row.confidence, e.created_at = datetime()",
        rows=rows,
    )


def put_relation(r: KGRelation) -> None:
    driver().execute_query(
        "MATCH (a:Entity {id: $source}), (b:Entity {id: $target}) MERGE (a)-[r:RELATION {id: $id}]->(b) "
        "SET r.type = $type, r.description = $description, r.confidence = $confidence, r.created_at = datetime()",
        source=r.source_entity_id, target=r.target_entity_id, id=r.id,
        type=r.relation_type, description=r.description, confidence=r.confidence_score,
    )
