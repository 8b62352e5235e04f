package seed

import (
	"fmt"
	"strings"
	"time"
)

// table says how many rows a table gets and how one is made.
type table struct {
	name    string
	rows    int
	columns []string
	values  func(r row) []any
}

// sizes are the rows per table for a wanted sum; the shares are those of a system
// that has read a few hundred documents.
type sizes struct {
	users, projects, files, slices, items, candidates, entities, relations, extractions, embeddings, exports, tasks, audits int
}

func (g generator) sizes() sizes {
	n := g.seed.Rows
	return sizes{
		users: 48, projects: 24, files: g.seed.Files,
		slices: n * 36 / 100, items: n * 6 / 100, candidates: n * 18 / 100, entities: n * 7 / 100, relations: n * 12 / 100,
		extractions: n * 4 / 100, embeddings: n * 1 / 100, exports: max(n/600, 1), tasks: n * 3 / 100, audits: n * 13 / 100,
	}
}

func columns(names string) []string { return strings.Fields(names) }

// tables lists all tables, parents before their children.
func (g generator) tables(uploads []upload) []table {
	s := g.sizes()
	all := g.accessTables(s)
	all = append(all, g.documentTables(s, uploads)...)
	all = append(all, g.graphTables(s)...)
	return append(all, g.workTables(s)...)
}

// stamps are created_at and updated_at.
func (r row) stamps(days int) (time.Time, time.Time) {
	made := r.ago(days)
	return made, made.Add(time.Duration(r.Int64N(int64(r.g.now.Sub(made)) + 1))).Truncate(time.Microsecond)
}

func (g generator) accessTables(s sizes) []table {
	roles := []string{"SUPER_ADMIN", "ADMIN", "USER", "VIEWER"}
	return []table{
		{"roles", len(roles), columns("id name description created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(400)
			return []any{g.id("roles", r.n), roles[r.n], "预置角色", made, changed}
		}},
		{"permissions", 24, columns("id name resource action created_at updated_at"), func(r row) []any {
			resource := []string{"project", "file", "cot", "kg", "export", "user"}[r.n/4]
			action := []string{"create", "read", "update", "delete"}[r.n%4]
			made, changed := r.stamps(400)
			return []any{g.id("permissions", r.n), resource + ":" + action, resource, action, made, changed}
		}},
		{"users", s.users, columns("id username email hashed_password full_name is_active is_superuser roles role department last_login login_count created_at updated_at"), g.user},
		{"user_roles", s.users, columns("id user_id role_id expires_at created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(300)
			return []any{g.id("user_roles", r.n), g.id("users", r.n), r.of("roles", len(roles)), r.maybe(20, g.now.AddDate(0, 3, 0)), made, changed}
		}},
		{"projects", s.projects, columns("id name description owner_id tags project_type status created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(300)
			return []any{g.id("projects", r.n), fmt.Sprintf("%s数据集 %d", r.pick(chineseThings...), r.n+1), r.text(2), r.of("users", s.users),
				`["材料", "CoT", "` + r.pick("2026", "内部", "public") + `"]`, r.pick("STANDARD", "RESEARCH", "COMMERCIAL"),
				r.pick("ACTIVE", "ACTIVE", "ACTIVE", "ARCHIVED", "DELETED"), made, changed}
		}},
		{"project_permissions", s.projects * 4, columns("id project_id permission_id created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(300)
			return []any{g.id("project_permissions", r.n), g.id("projects", r.n/4), r.of("permissions", 24), made, changed}
		}},
		{"user_project_permissions", s.users * 4, columns("id user_id project_id permission_id created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(300)
			return []any{g.id("user_project_permissions", r.n), g.id("users", r.n/4), r.of("projects", s.projects), r.of("permissions", 24), made, changed}
		}},
	}
}

func (g generator) user(r row) []any {
	made, changed := r.stamps(400)
	name := fmt.Sprintf("user%03d", r.n)
	role := r.pick("USER", "USER", "USER", "VIEWER", "ADMIN")
	if r.n == 0 {
		name, role = "admin", "SUPER_ADMIN"
	}
	return []any{g.id("users", r.n), name, name + "@example.org", "$2b$12$" + r.hex(53), r.pick("王", "李", "张", "刘", "陈") + r.pick("伟", "芳", "敏", "静", "磊"),
		r.chance(92), r.n == 0, `["` + strings.ToLower(role) + `"]`, role, r.pick("标注组", "算法组", "QA", "运维"), r.maybe(90, r.ago(20)), r.IntN(900), made, changed}
}

func (g generator) documentTables(s sizes, uploads []upload) []table {
	return []table{
		{"files", s.files, columns("id project_id filename original_filename file_path file_hash size mime_type ocr_status ocr_engine ocr_result created_at updated_at"), func(r row) []any {
			u := uploads[r.n]
			made, changed := r.stamps(200)
			return []any{g.id("files", r.n), u.project, u.name, u.original, u.path, u.hash, u.size, u.mime,
				r.pick("COMPLETED", "COMPLETED", "COMPLETED", "COMPLETED", "PENDING", "FAILED"), r.pick("mineru", "paddleocr"), r.maybe(70, r.text(6)), made, changed}
		}},
		{"slices", s.slices, columns("id file_id content start_offset end_offset slice_type page_number sequence_number created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(200)
			content := r.text(1 + r.IntN(5))
			start := r.IntN(200000)
			return []any{g.id("slices", r.n), r.of("files", s.files), content, start, start + len(content),
				r.pick("PARAGRAPH", "PARAGRAPH", "PARAGRAPH", "TABLE", "IMAGE", "HEADER", "FOOTER"), 1 + r.IntN(40), r.n, made, changed}
		}},
		{"cot_items", s.items, columns("id project_id slice_id question chain_of_thought source status llm_metadata created_by reviewed_by created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(150)
			return []any{g.id("cot_items", r.n), r.of("projects", s.projects), r.of("slices", s.slices),
				"为什么" + r.pick(chineseThings...) + "的" + r.pick(chineseTraits...) + "会发生变化？", r.text(4), r.pick("MANUAL", "HUMAN_AI", "GENERALIZATION"),
				r.pick("DRAFT", "REVIEWED", "APPROVED", "APPROVED", "REJECTED"), fmt.Sprintf(`{"model": "deepseek-chat", "tokens": %d, "temperature": 0.7}`, 200+r.IntN(4000)),
				r.of("users", s.users), r.maybe(60, r.of("users", s.users)), made, changed}
		}},
		{"cot_candidates", s.candidates, columns("id cot_item_id text chain_of_thought score chosen rank created_at updated_at"), func(r row) []any {
			made, changed := r.stamps(150)
			return []any{g.id("cot_candidates", r.n), g.id("cot_items", r.n%s.items), r.text(2), r.text(3), r.score(), r.n/s.items == 0, r.n/s.items + 1, made, changed}
		}},
	}
}
