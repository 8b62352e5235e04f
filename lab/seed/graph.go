package seed

import (
	"fmt"
	"strconv"
	"time"
)

func (g generator) graphTables(s sizes) []table {
	return []table{
		{"kg_entities", s.entities, columns("id name entity_type description properties confidence_score neo4j_node_id embedding_vector embedding_model created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(150)
			id := g.id("kg_entities", r.n)
			return []any{id, r.thing(), r.pick("材料", "性能", "工艺", "Method", "Instrument"), r.text(1),
				fmt.Sprintf(`{"aliases": [%q], "mentions": %d}`, r.pick(englishThings...), 1+r.IntN(90)), r.score(), "4:" + id, r.maybe(10, r.vector(32)), "bge-m3", made, changed}
		}},
		{"kg_relations", s.relations, columns("id source_entity_id target_entity_id relation_type description properties confidence_score neo4j_relation_id created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(150)
			id := g.id("kg_relations", r.n)
			return []any{id, r.of("kg_entities", s.entities), r.of("kg_entities", s.entities), r.pick("影响", "包含", "制备自", "MEASURED_BY", "RELATED_TO"),
				r.maybe(40, r.text(1)), `{"weight": ` + strconv.Itoa(1+r.IntN(9)) + `}`, r.score(), "5:" + id, made, changed}
		}},
		{"kg_extractions", s.extractions, columns("id cot_item_id project_id entity_id relation_id extraction_method source_text context confidence_score extraction_metadata created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(100)
			return []any{g.id("kg_extractions", r.n), r.of("cot_items", s.items), r.of("projects", s.projects), r.maybe(70, r.of("kg_entities", s.entities)),
				r.maybe(40, r.of("kg_relations", s.relations)), r.pick("llm", "rule", "manual"), r.text(1), r.text(1), r.score(), `{"batch": ` + strconv.Itoa(r.IntN(400)) + `}`, made, changed}
		}},
		{"kg_embeddings", s.embeddings, columns("id entity_id relation_id embedding_model embedding_vector vector_dimension source_text embedding_metadata created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(100)
			return []any{g.id("kg_embeddings", r.n), r.of("kg_entities", s.entities), nil, "bge-m3", r.vector(128), 128, r.text(1), nil, made, changed}
		}},
	}
}

func (g generator) workTables(s sizes) []table {
	return []table{
		{"export_tasks", s.exports, columns("id task_id project_id user_id export_format export_type export_options status progress message error_message file_path file_size download_url checksum validation_result total_items started_at completed_at expires_at created_at updated_at"), func(r row) []any {
			made := r.ago(60).UTC()
			path := "exports/" + g.id("export_tasks.task", r.n) + ".zip"
			return []any{g.id("export_tasks", r.n), g.id("export_tasks.task", r.n), r.of("projects", s.projects), r.of("users", s.users), r.pick("json", "markdown", "latex", "txt"),
				r.pick("single", "package"), `{"include_metadata": true}`, "completed", 100.0, "导出完成", nil, path, r.Int64N(80 << 20), "/api/v1/exports/" + path,
				r.hex(64), `{"valid": true}`, r.IntN(5000), made, made.Add(time.Minute), made.Add(24 * time.Hour), made, made.Add(time.Minute)}
		}},
		{"task_monitors", s.tasks, columns("id task_id task_name task_type status priority progress current_step total_steps user_id worker_name queue_name created_at started_at completed_at updated_at estimated_duration actual_duration parameters result error_info retry_count max_retries retry_delay message tags is_critical"), g.task},
		{"audit_logs", s.audits, columns("id user_id event_type severity resource_type resource_id resource_name action description details ip_address user_agent request_id success error_message old_values new_values created_at updated_at"), func(r row) []any {
			made := r.ago(120)
			return []any{g.id("audit_logs", r.n), r.maybe(95, r.of("users", s.users)), r.pick("CREATE", "UPDATE", "DELETE", "LOGIN", "LOGOUT", "EXPORT", "ACCESS", "ACCESS"), r.pick("LOW", "LOW", "LOW", "MEDIUM", "HIGH", "CRITICAL"),
				r.pick("PROJECT", "FILE", "SLICE", "COT", "KG", "EXPORT"), r.of("projects", s.projects), r.thing(), r.pick("查看", "修改", "下载", "approve", "login"), r.text(1),
				fmt.Sprintf(`{"ms": %d}`, r.IntN(3000)), fmt.Sprintf("10.%d.%d.%d", r.IntN(250), r.IntN(250), 1+r.IntN(250)), "Mozilla/5.0 (X11; Linux x86_64)",
				g.id("requests", r.n), r.chance(97), nil, nil, nil, made, made}
		}},
	}
}

func (g generator) task(r row) []any {
	made := r.ago(45).UTC()
	seconds := 1 + r.IntN(600)
	status, progress, ended, failure := "SUCCESS", 100, any(made.Add(time.Duration(seconds)*time.Second)), any(nil)
	switch x := r.IntN(100); {
	case x < 4:
		status, failure = "FAILURE", `{"type": "TimeoutError", "message": "MinerU 服务超时"}`
	case x < 6:
		status, progress, ended = "PROGRESS", r.IntN(99), nil
	}
	queue := r.pick("ocr", "llm", "kg", "files")
	return []any{g.id("task_monitors", r.n), g.id("celery", r.n), "app.workers.tasks." + queue + "_task", queue, status, r.pick("low", "normal", "high"), progress,
		r.pick("解析文档", "extract", "写入"), 4, r.of("users", g.sizes().users), "w" + strconv.Itoa(1+r.IntN(4)) + "@worker", queue, made, made, ended, made.Add(time.Duration(seconds) * time.Second),
		60, seconds, `{"file": ` + strconv.Itoa(r.IntN(900)) + `}`, `{"ok": true}`, failure, r.IntN(2), 3, 60, r.text(1), `["batch"]`, r.chance(5)}
}
