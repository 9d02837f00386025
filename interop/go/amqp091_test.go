// Package interop is amqp091-go against mambaamqp. AMQP_URL names the broker.
package interop

import (
	"context"
	"errors"
	"os"
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const wait = 10 * time.Second

// open returns a channel on a connection of its own; both end with the test.
func open(t *testing.T) *amqp.Channel {
	t.Helper()
	connection, err := amqp.Dial(os.Getenv("AMQP_URL"))
	must(t, err)
	t.Cleanup(func() { connection.Close() })
	channel, err := connection.Channel()
	must(t, err)
	return channel
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// declare makes an exclusive queue with the broker's name.
func declare(t *testing.T, channel *amqp.Channel, arguments amqp.Table) string {
	t.Helper()
	queue, err := channel.QueueDeclare("", false, false, true, false, arguments)
	must(t, err)
	return queue.Name
}

func publish(t *testing.T, channel *amqp.Channel, queue, body string) {
	t.Helper()
	must(t, channel.PublishWithContext(context.Background(), "", queue, false, false,
		amqp.Publishing{Body: []byte(body)}))
}

func consume(t *testing.T, channel *amqp.Channel, queue string) <-chan amqp.Delivery {
	t.Helper()
	deliveries, err := channel.Consume(queue, "", false, false, false, false, nil)
	must(t, err)
	return deliveries
}

func next(t *testing.T, deliveries <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case delivery, open := <-deliveries:
		if !open {
			t.Fatal("the consumer ended")
		}
		return delivery
	case <-time.After(wait):
		t.Fatal("nothing came")
	}
	return amqp.Delivery{}
}

func count(t *testing.T, channel *amqp.Channel, queue string, expected int) {
	t.Helper()
	state, err := channel.QueueDeclarePassive(queue, false, false, true, false, nil)
	must(t, err)
	if state.Messages != expected {
		t.Fatalf("%d messages, not %d", state.Messages, expected)
	}
}

func TestConfirmsAndOrder(t *testing.T) {
	channel := open(t)
	must(t, channel.Confirm(false))
	queue := declare(t, channel, nil)
	for i := 0; i < 200; i++ {
		confirm, err := channel.PublishWithDeferredConfirmWithContext(context.Background(), "", queue, false, false,
			amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(strconv.Itoa(i))})
		must(t, err)
		if !confirm.Wait() {
			t.Fatal("nacked")
		}
	}
	deliveries := consume(t, channel, queue)
	for i := 0; i < 200; i++ {
		delivery := next(t, deliveries)
		if string(delivery.Body) != strconv.Itoa(i) {
			t.Fatalf("%s instead of %d", delivery.Body, i)
		}
		must(t, delivery.Ack(false))
	}
}

func TestNackRequeues(t *testing.T) {
	channel := open(t)
	queue := declare(t, channel, nil)
	publish(t, channel, queue, "one")
	deliveries := consume(t, channel, queue)
	must(t, next(t, deliveries).Nack(false, true))
	again := next(t, deliveries)
	if !again.Redelivered {
		t.Fatal("not marked as redelivered")
	}
	must(t, again.Ack(false))
}

func TestDeadLetter(t *testing.T) {
	channel := open(t)
	dead := declare(t, channel, nil)
	queue := declare(t, channel, amqp.Table{"x-dead-letter-exchange": "", "x-dead-letter-routing-key": dead})
	publish(t, channel, queue, "bad")
	must(t, next(t, consume(t, channel, queue)).Reject(false))
	death := next(t, consume(t, channel, dead)).Headers["x-death"].([]interface{})[0].(amqp.Table)
	if death["reason"] != "rejected" || death["queue"] != queue {
		t.Fatal(death)
	}
}

func TestReturn(t *testing.T) {
	channel := open(t)
	returns := channel.NotifyReturn(make(chan amqp.Return, 1))
	must(t, channel.PublishWithContext(context.Background(), "", "interop.go.nowhere", true, false, amqp.Publishing{}))
	select {
	case back := <-returns:
		if back.ReplyCode != amqp.NoRoute {
			t.Fatal(back.ReplyCode)
		}
	case <-time.After(wait):
		t.Fatal("nothing came back")
	}
}

func TestTransaction(t *testing.T) {
	channel := open(t)
	queue := declare(t, channel, nil)
	must(t, channel.Tx())
	publish(t, channel, queue, "dropped")
	must(t, channel.TxRollback())
	publish(t, channel, queue, "kept")
	count(t, channel, queue, 0)
	must(t, channel.TxCommit())
	count(t, channel, queue, 1)
}

func TestErrors(t *testing.T) {
	queue := declare(t, open(t), nil)
	for name, code := range map[string]int{queue: amqp.ResourceLocked, "interop.go.nowhere": amqp.NotFound} {
		_, err := open(t).QueueDeclarePassive(name, false, false, true, false, nil)
		var problem *amqp.Error
		if !errors.As(err, &problem) || problem.Code != code {
			t.Fatalf("%s: %v, not %d", name, err, code)
		}
	}
}
