/* rabbitmq-c against mambaamqp: scenarios PORT, or scenarios PORT blocked for a broker whose disk is too full. */
#include "peer.h"

#define MANY_FRAMES (2 * 1024 * 1024 + 1)

static amqp_table_entry_t word(const char *key, const char *value) {
  amqp_table_entry_t entry = {.key = TEXT(key), .value.kind = AMQP_FIELD_KIND_UTF8, .value.value.bytes = TEXT(value)};
  return entry;
}

static amqp_table_entry_t number(const char *key, int value) {
  amqp_table_entry_t entry = {.key = TEXT(key), .value.kind = AMQP_FIELD_KIND_I32, .value.value.i32 = value};
  return entry;
}

static void tuning(void) {
  peer_t peer = peer_open();
  CHECK(amqp_get_channel_max(peer) == 7 && amqp_get_frame_max(peer) == 8192 && amqp_get_heartbeat(peer) == 20);
  peer_close(peer);
}

/* Longer than the client or the broker waits for a heartbeat that does not come. */
static void heartbeats(void) {
  peer_t peer = peer_new();
  CHECK(peer_login(peer, "/", "guest", 1).reply_type == AMQP_RESPONSE_NORMAL);
  struct timeval idle = {4, 0};
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame_noblock(peer, &frame, &idle) == AMQP_STATUS_TIMEOUT);
  amqp_channel_open(peer, CHANNEL);
  GOOD(peer);
  peer_close(peer);
}

/* Declare, bind with the key and arguments; the queue, which the caller frees. */
static amqp_bytes_t bound(peer_t peer, const char *exchange, const char *type, const char *key, amqp_table_t table) {
  amqp_exchange_declare(peer, CHANNEL, TEXT(exchange), TEXT(type), 0, 0, 1, 0, NONE);
  GOOD(peer);
  amqp_bytes_t queue = queue_new(peer, NONE);
  amqp_queue_bind(peer, CHANNEL, queue, TEXT(exchange), TEXT(key), table);
  GOOD(peer);
  return queue;
}

static void to_exchange(peer_t peer, const char *exchange, const char *key, amqp_table_t headers) {
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG, .headers = headers};
  publish(peer, exchange, TEXT(key), TEXT(key), &properties);
  CHECK(confirmed(peer));
}

static void exchanges(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t direct = bound(peer, "interop.c.direct", "direct", "a", NONE);
  to_exchange(peer, "interop.c.direct", "b", NONE);
  to_exchange(peer, "interop.c.direct", "a", NONE);
  CHECK(has(peer, direct, "a") && has(peer, direct, NULL));
  amqp_bytes_t fanout = bound(peer, "interop.c.fanout", "fanout", "", NONE);
  to_exchange(peer, "interop.c.fanout", "any", NONE);
  CHECK(has(peer, fanout, "any") && has(peer, fanout, NULL));
  amqp_bytes_t topic = bound(peer, "interop.c.topic", "topic", "order.*.#", NONE);
  to_exchange(peer, "interop.c.topic", "order", NONE);
  to_exchange(peer, "interop.c.topic", "order.new.eu", NONE);
  CHECK(has(peer, topic, "order.new.eu") && has(peer, topic, NULL));
  amqp_table_entry_t wanted[] = {word("x-match", "all"), number("size", 3)};
  amqp_bytes_t headers = bound(peer, "interop.c.headers", "headers", "", (amqp_table_t){2, wanted});
  amqp_table_entry_t three = number("size", 3), four = number("size", 4);
  to_exchange(peer, "interop.c.headers", "four", (amqp_table_t){1, &four});
  to_exchange(peer, "interop.c.headers", "three", (amqp_table_t){1, &three});
  CHECK(has(peer, headers, "three") && has(peer, headers, NULL));
  amqp_exchange_bind(peer, CHANNEL, TEXT("interop.c.fanout"), TEXT("interop.c.direct"), TEXT("x"), NONE);
  GOOD(peer);
  to_exchange(peer, "interop.c.direct", "x", NONE);
  CHECK(has(peer, fanout, "x") && has(peer, direct, NULL));
  amqp_bytes_t queues[] = {direct, fanout, topic, headers};
  for (int i = 0; i < 4; i++) amqp_bytes_free(queues[i]);
  peer_close(peer);
}

static void confirms(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t queue = queue_new(peer, NONE);
  char body[8];
  for (int i = 0; i < 200; i++) {
    snprintf(body, sizeof body, "%d", i);
    put(peer, queue, body);
  }
  for (int i = 0; i < 200; i++) {
    snprintf(body, sizeof body, "%d", i);
    CHECK(has(peer, queue, body));
  }
  amqp_bytes_free(queue);
  amqp_table_entry_t limits[] = {number("x-max-length", 1), word("x-overflow", "reject-publish")};
  queue = queue_new(peer, (amqp_table_t){2, limits});
  put(peer, queue, "one");
  publish(peer, "", queue, TEXT("two"), NULL);
  CHECK(!confirmed(peer));
  amqp_bytes_free(queue);
  peer_close(peer);
}

/* basic.return with the message, then basic.ack. */
static void mandatory(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t nowhere = TEXT("interop.c.nowhere");
  CHECK(amqp_basic_publish(peer, CHANNEL, TEXT(""), nowhere, 1, 0, NULL, TEXT("lost")) == AMQP_STATUS_OK);
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame(peer, &frame) == AMQP_STATUS_OK);
  CHECK(frame.payload.method.id == AMQP_BASIC_RETURN_METHOD);
  amqp_basic_return_t *back = frame.payload.method.decoded;
  CHECK(back->reply_code == 312 && same(back->reply_text, "NO_ROUTE"));
  amqp_message_t message;
  CHECK(amqp_read_message(peer, CHANNEL, &message, 0).reply_type == AMQP_RESPONSE_NORMAL);
  CHECK(same(message.body, "lost"));
  amqp_destroy_message(&message);
  CHECK(confirmed(peer));
  peer_close(peer);
}

static void acknowledging(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t queue = queue_new(peer, NONE);
  put(peer, queue, "one");
  consume(peer, queue, false);
  amqp_envelope_t envelope = next(peer);
  CHECK(!envelope.redelivered);
  amqp_basic_nack(peer, CHANNEL, envelope.delivery_tag, 0, 1);
  amqp_destroy_envelope(&envelope);
  envelope = next(peer);
  CHECK(envelope.redelivered);
  amqp_basic_reject(peer, CHANNEL, envelope.delivery_tag, 1);
  amqp_destroy_envelope(&envelope);
  envelope = next(peer);
  amqp_basic_ack(peer, CHANNEL, envelope.delivery_tag, 0);
  amqp_destroy_envelope(&envelope);
  amqp_queue_declare_ok_t *state = amqp_queue_declare(peer, CHANNEL, queue, 1, 0, 0, 0, NONE);
  GOOD(peer);
  CHECK(state->message_count == 0 && state->consumer_count == 1);
  amqp_bytes_free(queue);
  peer_close(peer);
}

static void prefetch(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t queue = queue_new(peer, NONE);
  for (const char *body = "1\0002\0003"; *body; body += 2) put(peer, queue, body);
  amqp_basic_qos(peer, CHANNEL, 0, 2, 0);
  consume(peer, queue, false);
  amqp_envelope_t first = next(peer), second = next(peer);
  CHECK(silent(peer));
  amqp_basic_ack(peer, CHANNEL, second.delivery_tag, 1);
  amqp_envelope_t third = next(peer);
  CHECK(same(third.message.body, "3"));
  amqp_destroy_envelope(&first);
  amqp_destroy_envelope(&second);
  amqp_destroy_envelope(&third);
  amqp_bytes_free(queue);
  peer_close(peer);
}

static void getting(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t queue = queue_new(peer, NONE);
  put(peer, queue, "1");
  put(peer, queue, "2");
  amqp_rpc_reply_t reply = amqp_basic_get(peer, CHANNEL, queue, 0);
  CHECK(reply.reply.id == AMQP_BASIC_GET_OK_METHOD);
  CHECK(((amqp_basic_get_ok_t *)reply.reply.decoded)->message_count == 1);
  amqp_message_t message;
  CHECK(amqp_read_message(peer, CHANNEL, &message, 0).reply_type == AMQP_RESPONSE_NORMAL);
  amqp_destroy_message(&message);
  amqp_basic_recover(peer, CHANNEL, 1);
  GOOD(peer);
  CHECK(has(peer, queue, "1") && has(peer, queue, "2") && has(peer, queue, NULL));
  amqp_bytes_free(queue);
  peer_close(peer);
}

static void transactions(void) {
  peer_t peer = peer_open(), other = peer_open();
  amqp_bytes_t queue = TEXT("interop.c.transaction");
  queue_named(peer, "interop.c.transaction");
  amqp_tx_select(peer, CHANNEL);
  publish(peer, "", queue, TEXT("dropped"), NULL);
  amqp_tx_rollback(peer, CHANNEL);
  publish(peer, "", queue, TEXT("kept"), NULL);
  CHECK(has(other, queue, NULL));
  amqp_tx_commit(peer, CHANNEL);
  GOOD(peer);
  CHECK(has(other, queue, "kept"));
  amqp_queue_delete(peer, CHANNEL, queue, 0, 0);
  peer_close(peer);
  peer_close(other);
}

static void large_body(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t queue = queue_new(peer, NONE), body = amqp_bytes_malloc(MANY_FRAMES);
  for (size_t i = 0; i < body.len; i++) ((unsigned char *)body.bytes)[i] = i % 251;
  publish(peer, "", queue, body, NULL);
  CHECK(confirmed(peer));
  amqp_message_t message;
  CHECK(get(peer, queue, &message));
  CHECK(message.body.len == body.len && memcmp(message.body.bytes, body.bytes, body.len) == 0);
  amqp_destroy_message(&message);
  amqp_bytes_free(body);
  amqp_bytes_free(queue);
  peer_close(peer);
}

static amqp_table_t every_field(void) {
  static amqp_field_value_t items[2] = {{.kind = 'I', .value.i32 = 1}, {.kind = 'V'}};
  static amqp_table_entry_t inner[1];
  inner[0] = word("ключ", "Wert ✓");
  static amqp_field_value_t values[] = {
    {.kind = 't', .value.boolean = 1},
    {.kind = 'b', .value.i8 = INT8_MIN},
    {.kind = 'B', .value.u8 = UINT8_MAX},
    {.kind = 's', .value.i16 = INT16_MIN},
    {.kind = 'u', .value.u16 = UINT16_MAX},
    {.kind = 'I', .value.i32 = INT32_MIN},
    {.kind = 'i', .value.u32 = UINT32_MAX},
    {.kind = 'l', .value.i64 = INT64_MIN},
    {.kind = 'f', .value.f32 = 1.5},
    {.kind = 'd', .value.f64 = -2.25},
    {.kind = 'D', .value.decimal = {2, 31415}},
    {.kind = 'S', .value.bytes = {4, "text"}},
    {.kind = 'A', .value.array = {2, items}},
    {.kind = 'T', .value.u64 = 1700000000},
    {.kind = 'F', .value.table = {1, inner}},
    {.kind = 'x', .value.bytes = {3, "\0\377\200"}},
    {.kind = 'V'},
  };
  enum { COUNT = sizeof values / sizeof *values };
  static amqp_table_entry_t entries[COUNT];
  static char names[COUNT][2];
  for (int i = 0; i < COUNT; i++) {
    names[i][0] = (char)values[i].kind;
    entries[i] = (amqp_table_entry_t){TEXT(names[i]), values[i]};
  }
  return (amqp_table_t){COUNT, entries};
}

static void fields(void) {
  peer_t peer = peer_confirming();
  amqp_bytes_t queue = queue_new(peer, NONE);
  amqp_table_t sent = every_field();
  amqp_basic_properties_t properties = {._flags = AMQP_BASIC_HEADERS_FLAG, .headers = sent};
  publish(peer, "", queue, TEXT(""), &properties);
  CHECK(confirmed(peer));
  amqp_message_t message;
  CHECK(get(peer, queue, &message));
  char one[1024], two[1024];
  amqp_bytes_t first = {sizeof one, one}, second = {sizeof two, two};
  size_t first_end = 0, second_end = 0;
  CHECK(amqp_encode_table(first, &sent, &first_end) == AMQP_STATUS_OK);
  CHECK(amqp_encode_table(second, &message.properties.headers, &second_end) == AMQP_STATUS_OK);
  CHECK(first_end == second_end && memcmp(one, two, first_end) == 0);
  amqp_destroy_message(&message);
  amqp_bytes_free(queue);
  peer_close(peer);
}

/* basic.cancel from the broker. */
static void cancelled(void) {
  peer_t peer = peer_open(), other = peer_open();
  queue_named(peer, "interop.c.cancelled");
  consume(peer, TEXT("interop.c.cancelled"), false);
  amqp_queue_delete(other, CHANNEL, TEXT("interop.c.cancelled"), 0, 0);
  GOOD(other);
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame(peer, &frame) == AMQP_STATUS_OK);
  CHECK(frame.payload.method.id == AMQP_BASIC_CANCEL_METHOD);
  peer_close(peer);
  peer_close(other);
}

static void replies(void) {
  peer_t peer = peer_open(), service = peer_open();
  queue_named(service, "interop.c.service");
  consume(service, TEXT("interop.c.service"), true);
  consume(peer, TEXT("amq.rabbitmq.reply-to"), true);
  amqp_basic_properties_t ask = {._flags = AMQP_BASIC_REPLY_TO_FLAG, .reply_to = TEXT("amq.rabbitmq.reply-to")};
  publish(peer, "", TEXT("interop.c.service"), TEXT("hello"), &ask);
  amqp_envelope_t question = next(service);
  publish(service, "", question.message.properties.reply_to, TEXT("HELLO"), NULL);
  amqp_envelope_t answer = next(peer);
  CHECK(same(answer.message.body, "HELLO"));
  amqp_destroy_envelope(&question);
  amqp_destroy_envelope(&answer);
  peer_close(peer);
  peer_close(service);
}

/* Declare on a fresh connection what the broker refuses. */
static void declaration_refused(amqp_bytes_t name, bool passive, bool durable, int code, const char *text) {
  peer_t peer = peer_open();
  amqp_queue_declare(peer, CHANNEL, name, passive, durable, 0, 0, NONE);
  refused(amqp_get_rpc_reply(peer), code, text);
  amqp_destroy_connection(peer);
}

static void refusals(void) {
  peer_t owner = peer_open();
  declaration_refused(TEXT("interop.c.nowhere"), true, false, 404,
                      "NOT_FOUND - no queue 'interop.c.nowhere' in vhost '/'");
  queue_named(owner, "interop.c.declared");
  declaration_refused(TEXT("interop.c.declared"), false, true, 406,
                      "PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'interop.c.declared' in vhost '/': "
                      "received 'true' but current is 'false'");
  amqp_queue_delete(owner, CHANNEL, TEXT("interop.c.declared"), 0, 0);
  declaration_refused(TEXT("amq.interop"), false, false, 403,
                      "ACCESS_REFUSED - queue name 'amq.interop' contains reserved prefix 'amq.*'");
  amqp_queue_declare(owner, CHANNEL, TEXT("interop.c.locked"), 0, 0, 1, 0, NONE);
  declaration_refused(TEXT("interop.c.locked"), true, false, 405,
                      "RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'interop.c.locked' in vhost "
                      "'/'. It could be originally declared on another connection or the exclusive property value "
                      "does not match that of the original declaration.");
  peer_close(owner);
  declaration_refused(TEXT("interop.c.locked"), true, false, 404,
                      "NOT_FOUND - no queue 'interop.c.locked' in vhost '/'");
}

static void logins(void) {
  peer_t peer = peer_new();
  refused(peer_login(peer, "/", "wrong", 0), 403,
          "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker "
          "logfile.");
  amqp_destroy_connection(peer);
  peer = peer_new();
  refused(peer_login(peer, "nowhere", "guest", 0), 530, "NOT_ALLOWED - vhost nowhere not found");
  amqp_destroy_connection(peer);
}

static void auto_delete(void) {
  peer_t peer = peer_open();
  queue_named(peer, "interop.c.auto-delete");
  amqp_basic_consume(peer, CHANNEL, TEXT("interop.c.auto-delete"), TEXT("tag"), 0, 1, 0, NONE);
  amqp_basic_cancel(peer, CHANNEL, TEXT("tag"));
  GOOD(peer);
  declaration_refused(TEXT("interop.c.auto-delete"), true, false, 404,
                      "NOT_FOUND - no queue 'interop.c.auto-delete' in vhost '/'");
  peer_close(peer);
}

static void blocked(void) {
  peer_t peer = peer_open();
  publish(peer, "amq.fanout", TEXT(""), TEXT("x"), NULL);
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame(peer, &frame) == AMQP_STATUS_OK);
  CHECK(frame.channel == 0 && frame.payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD);
  CHECK(same(((amqp_connection_blocked_t *)frame.payload.method.decoded)->reason, "low on disk"));
  amqp_destroy_connection(peer);
}

static const struct {
  const char *name;
  void (*run)(void);
} scenarios[] = {
  {"the smaller figure counts", tuning},
  {"exchanges of all four types, and one bound to another", exchanges},
  {"confirms in order; a full queue nacks", confirms},
  {"a mandatory message without a way is returned", mandatory},
  {"what is given back comes again", acknowledging},
  {"prefetch holds back", prefetch},
  {"get tells how many are left", getting},
  {"a transaction commits and rolls back", transactions},
  {"a body of many frames", large_body},
  {"every type of field", fields},
  {"a consumer is told when its queue goes", cancelled},
  {"replies come without a queue", replies},
  {"an auto-delete queue goes with its consumer", auto_delete},
  {"refusals have RabbitMQ's codes and texts", refusals},
  {"logins are refused", logins},
  {"heartbeats keep an idle connection", heartbeats},
};

int main(int count, char **arguments) {
  if (count < 2) return 2;
  port = atoi(arguments[1]);
  if (count > 2) {
    blocked();
    return puts("ok a publisher is told that it is blocked") < 0;
  }
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
    fprintf(stderr, "%s\n", scenarios[i].name);
    scenarios[i].run();
    printf("ok %s\n", scenarios[i].name);
  }
  return 0;
}
