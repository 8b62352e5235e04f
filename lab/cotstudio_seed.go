package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// CotSeeded says what Seed has made.
type CotSeeded struct {
	Users, Projects, Files, Entities int   // through the application
	Rows                             int64 // besides
}

// The words of the seed. Names hold what file names of people hold.
var (
	cotUsers    = []string{"admin", "editor", "审稿人"}
	cotProjects = []string{"合同审查", "医学文献问答", "Quarterly reports"}
	cotFiles    = []string{"季度报告 2026（终稿）.txt", "合同-甲方&乙方.txt", "notes (2).txt", "未处理 附件.txt"}
	cotEntities = []string{"甲方", "乙方", "北京", "上海", "合同", "报告", "Aspirin", "阿司匹林", "高血压", "Q3", "营业额", "审计"}
)

// ocrPatience bounds the worker's part of the seed: some ten small documents.
const ocrPatience = 2 * time.Minute

// Seed fills the system: users, projects, uploads, what the worker makes of them, and
// entities through the application, and so many further rows straight into the database.
// The last file of every project stays unread.
func (c *CotStudio) Seed(ctx context.Context, rows int) (done CotSeeded, err error) {
	api := cotAPI{base: "http://" + c.parts["backend"].Addr()}
	for i, name := range cotUsers {
		user := map[string]any{"username": name, "email": fmt.Sprintf("user%d@example.org", i), "password": name + "-pass"}
		if err := api.post(ctx, "/api/v1/users", user, nil); err != nil {
			return done, err
		}
	}
	if err := api.login(ctx); err != nil {
		return done, err
	}
	done.Users = len(cotUsers)
	if done.Entities, err = api.fillGraph(ctx); err != nil {
		return done, err
	}
	for _, name := range cotProjects {
		files, err := api.fillProject(ctx, name)
		if err != nil {
			return done, err
		}
		done.Projects, done.Files = done.Projects+1, done.Files+files
	}
	if err := c.fillCache(ctx); err != nil {
		return done, err
	}
	done.Rows, err = c.fillTables(ctx, rows)
	return done, err
}

// fillProject uploads the files of one project and has all but the last of them read.
func (a *cotAPI) fillProject(ctx context.Context, name string) (files int, err error) {
	var project struct{ ID string }
	if err := a.post(ctx, "/api/v1/projects", map[string]any{"name": name, "tags": []string{"示例"}}, &project); err != nil {
		return 0, err
	}
	for i, file := range cotFiles {
		content := fmt.Sprintf("%s\n\n%s：甲方与乙方在北京签订合同。\n\nAspirin %d mg.\n", file, name, i)
		id, err := a.upload(ctx, project.ID, file, content)
		if err != nil {
			return files, err
		}
		files++
		if i == len(cotFiles)-1 {
			break
		}
		if err := a.read(ctx, project.ID, id); err != nil {
			return files, err
		}
	}
	return files, nil
}

// read has the worker read a file, and asks a question about its first slice.
func (a *cotAPI) read(ctx context.Context, project, file string) error {
	if err := a.post(ctx, "/api/v1/files/"+file+"/ocr", nil, nil); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, ocrPatience)
	defer cancel()
	var state struct {
		Status string `json:"ocr_status"`
		Slices []string
	}
	for ; state.Status != "COMPLETED"; pause(ctx) {
		if err := a.call(ctx, http.MethodGet, "/api/v1/files/"+file, "", nil, &state); err != nil {
			return fmt.Errorf("wait until the worker has read a file, which is %s: %w", state.Status, err)
		}
		if state.Status == "FAILED" {
			return fmt.Errorf("the worker could not read file %s", file)
		}
	}
	item := map[string]any{"slice_id": state.Slices[0], "question": "甲方与乙方在哪里签订合同？"}
	return a.post(ctx, "/api/v1/projects/"+project+"/items", item, nil)
}

// pause lets others work between two questions.
func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(50 * time.Millisecond):
	}
}

// fillGraph makes entities in a chain; the last ones have no relation.
func (a *cotAPI) fillGraph(ctx context.Context) (int, error) {
	wanted := make([]map[string]any, len(cotEntities))
	for i, name := range cotEntities {
		wanted[i] = map[string]any{"name": name, "entity_type": "Term", "confidence": 0.9}
	}
	var ids []string
	if err := a.post(ctx, "/api/v1/kg/entities", wanted, &ids); err != nil {
		return 0, err
	}
	for i := range len(ids) - 3 {
		relation := map[string]any{"source": ids[i], "target": ids[i+1], "relation_type": "RELATED_TO"}
		if err := a.post(ctx, "/api/v1/kg/relations", relation, nil); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

// fillTables adds what an application of some months has: slices, audit events and
// tasks that have ended. None of it claims an object or a node.
func (c *CotStudio) fillTables(ctx context.Context, rows int) (made int64, err error) {
	conn, err := pgx.Connect(ctx, c.parts["postgres"].DSN("cotdb"))
	if err != nil {
		return 0, fmt.Errorf("fill the example's tables: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	for _, statement := range []string{
		`insert into slices (id, file_id, content, start_offset, end_offset, slice_type, sequence_number)
		 select uuid_generate_v4()::text, f.id, '第 ' || n || ' 段 ' || md5(n::text), n * 100, n * 100 + 99, 'PARAGRAPH', n
		 from generate_series(1, $1 / 2) n, (select id from files where ocr_status = 'COMPLETED' order by file_path limit 1) f`,
		`insert into audit_logs (id, user_id, event_type, severity, resource_type, action, ip_address, success, created_at)
		 select uuid_generate_v4()::text, u.id, 'UPDATE', 'LOW', 'project', '修改 ' || n, '10.0.0.' || n % 250, true, now() - n * interval '1 minute'
		 from generate_series(1, $1 / 4) n, (select id from users order by username limit 1) u`,
		`insert into task_monitors (id, task_id, task_name, status, progress, worker_name, queue_name, retry_count)
		 select uuid_generate_v4()::text, 'seed-' || n, 'app.workers.tasks.ocr_processing', 'SUCCESS', 100, 'cot@lab', 'ocr', 0
		 from generate_series(1, $1 / 4) n`,
	} {
		tag, err := conn.Exec(ctx, statement, rows)
		if err != nil {
			return made, fmt.Errorf("fill the example's tables: %w", err)
		}
		made += tag.RowsAffected()
	}
	_, err = conn.Exec(ctx, "analyze")
	return made, err
}

// fillCache writes what the monitoring part of the application keeps.
func (c *CotStudio) fillCache(ctx context.Context) (err error) {
	s := c.parts["redis"]
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: s.Password})
	defer func() { err = errors.Join(err, client.Close()) }()
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, name := range []string{"cpu_percent", "memory_percent", "disk_percent"} {
			p.Set(ctx, "metric:system."+name+":latest", `{"value": 12.5}`, 0)
		}
		return nil
	})
	return err
}

// cotAPI is a client of the application.
type cotAPI struct{ base, token string }

func (a *cotAPI) login(ctx context.Context) error {
	var answer struct {
		Token string `json:"access_token"`
	}
	err := a.post(ctx, "/api/v1/auth/login", map[string]any{"username": cotUsers[0], "password": cotUsers[0] + "-pass"}, &answer)
	a.token = answer.Token
	return err
}

func (a *cotAPI) post(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return a.call(ctx, http.MethodPost, path, "application/json", bytes.NewReader(body), out)
}

func (a *cotAPI) upload(ctx context.Context, project, name, content string) (id string, err error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(part, strings.NewReader(content)); err != nil {
		return "", err
	}
	if err := form.Close(); err != nil {
		return "", err
	}
	var made struct{ ID string }
	err = a.call(ctx, http.MethodPost, "/api/v1/projects/"+project+"/files", form.FormDataContentType(), &body, &made)
	return made.ID, err
}

// call wants a status of 2xx. What the application says instead is in the error.
func (a *cotAPI) call(ctx context.Context, method, path, form string, body io.Reader, out any) (err error) {
	ask, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return err
	}
	ask.Header.Set("Content-Type", form)
	ask.Header.Set("Authorization", "Bearer "+a.token)
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s: %.200s", method, path, answer.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}
