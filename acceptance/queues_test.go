package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/rogpeppe/go-internal/testscript"

	"upkeep/lab"
)

// startWorker is start celery NAME broker=NAME queues=Q,Q [pool=POOL] [SETTING=JSON…].
func startWorker(ts *testscript.TestScript, name string, pairs []string) {
	w := lab.Worker{Name: name, Settings: map[string]any{}}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		switch key {
		case "broker":
			w.Broker = lookup(ts, value).Server
		case "queues":
			w.Queues = strings.Split(value, ",")
		case "pool":
			w.Pool = value
		default:
			var setting any
			ts.Check(json.Unmarshal([]byte(value), &setting))
			w.Settings[key] = setting
		}
	}
	ts.Value(labKey{}).(*servers).byName[name] = &running{Server: lab.Celery(scriptTB{ts}, w)}
}

// tasks NAME QUEUE TASK COUNT [ARG]: sends tasks as an application does.
func tasks(ts *testscript.TestScript, _ bool, args []string) {
	conn, err := amqp.Dial(lookup(ts, args[0]).DSN(""))
	ts.Check(err)
	defer conn.Close()
	channel, err := conn.Channel()
	ts.Check(err)
	_, err = channel.QueueDeclare(args[1], true, false, false, false, nil)
	ts.Check(err)
	ts.Check(channel.Confirm(false))
	var count int
	_, err = fmt.Sscan(args[3], &count)
	ts.Check(err)
	body := `[[` + strings.Join(args[4:], ",") + `],{},{"callbacks":null,"errbacks":null,"chain":null,"chord":null}]`
	for i := range count {
		id := fmt.Sprintf("%s-%d-%d", args[1], time.Now().UnixNano(), i)
		sent, err := channel.PublishWithDeferredConfirm("", args[1], false, false, amqp.Publishing{
			ContentType: "application/json", ContentEncoding: "utf-8", CorrelationId: id, DeliveryMode: amqp.Persistent,
			Body: []byte(body), Headers: amqp.Table{"lang": "py", "task": args[2], "id": id, "root_id": id, "retries": int32(0)}})
		ts.Check(err)
		if !sent.Wait() {
			ts.Fatalf("task %d was not taken", i)
		}
	}
}

// rabbitmqctl NAME ARG…: runs the control program of a node.
func rabbitmqctl(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(lookup(ts, args[0]).Rabbitmqctl(context.Background(), args[1:]...))
}
