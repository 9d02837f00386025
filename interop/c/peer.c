#include "peer.h"

#include <amqp_tcp_socket.h>

#define SECONDS 10
#define SILENCE_MICROSECONDS 300000

int port;

peer_t peer_new(void) {
  peer_t peer = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(peer);
  CHECK(socket && amqp_socket_open(socket, "127.0.0.1", port) == AMQP_STATUS_OK);
  struct timeval patience = {SECONDS, 0};
  amqp_set_rpc_timeout(peer, &patience);
  return peer;
}

static amqp_table_entry_t flag(const char *name) {
  amqp_table_entry_t entry = {.key = TEXT(name), .value.kind = AMQP_FIELD_KIND_BOOLEAN, .value.value.boolean = 1};
  return entry;
}

amqp_rpc_reply_t peer_login(peer_t peer, const char *vhost, const char *password, int heartbeat) {
  amqp_table_entry_t flags[] = {flag("consumer_cancel_notify"), flag("connection.blocked"), flag("basic.nack"),
                                flag("publisher_confirms"), flag("authentication_failure_close")};
  amqp_table_entry_t capabilities = {.key = TEXT("capabilities"), .value.kind = AMQP_FIELD_KIND_TABLE};
  capabilities.value.value.table = (amqp_table_t){5, flags};
  amqp_table_t properties = {1, &capabilities};
  return amqp_login_with_properties(peer, vhost, 7, 8192, heartbeat, &properties, AMQP_SASL_METHOD_PLAIN, "guest",
                                    password);
}

peer_t peer_open(void) {
  peer_t peer = peer_new();
  CHECK(peer_login(peer, "/", "guest", 20).reply_type == AMQP_RESPONSE_NORMAL);
  amqp_channel_open(peer, CHANNEL);
  GOOD(peer);
  return peer;
}

peer_t peer_confirming(void) {
  peer_t peer = peer_open();
  amqp_confirm_select(peer, CHANNEL);
  GOOD(peer);
  return peer;
}

void peer_close(peer_t peer) {
  CHECK(amqp_connection_close(peer, AMQP_REPLY_SUCCESS).reply_type == AMQP_RESPONSE_NORMAL);
  amqp_destroy_connection(peer);
}

amqp_bytes_t queue_new(peer_t peer, amqp_table_t arguments) {
  amqp_queue_declare_ok_t *queue = amqp_queue_declare(peer, CHANNEL, amqp_empty_bytes, 0, 0, 1, 0, arguments);
  GOOD(peer);
  return amqp_bytes_malloc_dup(queue->queue);
}

void queue_named(peer_t peer, const char *name) {
  amqp_queue_declare(peer, CHANNEL, TEXT(name), 0, 0, 0, 1, NONE);
  GOOD(peer);
}

void publish(peer_t peer, const char *exchange, amqp_bytes_t key, amqp_bytes_t body,
             const amqp_basic_properties_t *properties) {
  CHECK(amqp_basic_publish(peer, CHANNEL, TEXT(exchange), key, 0, 0, properties, body) == AMQP_STATUS_OK);
}

bool confirmed(peer_t peer) {
  struct timeval patience = {SECONDS, 0};
  amqp_frame_t frame;
  CHECK(amqp_simple_wait_frame_noblock(peer, &frame, &patience) == AMQP_STATUS_OK);
  CHECK(frame.frame_type == AMQP_FRAME_METHOD);
  amqp_method_number_t method = frame.payload.method.id;
  CHECK(method == AMQP_BASIC_ACK_METHOD || method == AMQP_BASIC_NACK_METHOD);
  return method == AMQP_BASIC_ACK_METHOD;
}

void put(peer_t peer, amqp_bytes_t queue, const char *body) {
  publish(peer, "", queue, TEXT(body), NULL);
  CHECK(confirmed(peer));
}

void consume(peer_t peer, amqp_bytes_t queue, bool no_ack) {
  amqp_basic_consume(peer, CHANNEL, queue, amqp_empty_bytes, 0, no_ack, 0, NONE);
  GOOD(peer);
}

amqp_envelope_t next(peer_t peer) {
  struct timeval patience = {SECONDS, 0};
  amqp_envelope_t envelope;
  amqp_maybe_release_buffers(peer);
  CHECK(amqp_consume_message(peer, &envelope, &patience, 0).reply_type == AMQP_RESPONSE_NORMAL);
  return envelope;
}

bool silent(peer_t peer) {
  struct timeval patience = {0, SILENCE_MICROSECONDS};
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply = amqp_consume_message(peer, &envelope, &patience, 0);
  return reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION && reply.library_error == AMQP_STATUS_TIMEOUT;
}

bool get(peer_t peer, amqp_bytes_t queue, amqp_message_t *message) {
  amqp_rpc_reply_t reply = amqp_basic_get(peer, CHANNEL, queue, 1);
  CHECK(reply.reply_type == AMQP_RESPONSE_NORMAL);
  if (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD) return false;
  CHECK(amqp_read_message(peer, CHANNEL, message, 0).reply_type == AMQP_RESPONSE_NORMAL);
  return true;
}

bool has(peer_t peer, amqp_bytes_t queue, const char *body) {
  amqp_message_t message;
  if (!get(peer, queue, &message)) return body == NULL;
  bool equal = body != NULL && same(message.body, body);
  amqp_destroy_message(&message);
  return equal;
}

bool same(amqp_bytes_t bytes, const char *text) {
  return bytes.len == strlen(text) && memcmp(bytes.bytes, text, bytes.len) == 0;
}

void refused(amqp_rpc_reply_t reply, int code, const char *text) {
  CHECK(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION);
  bool channel = reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD;
  CHECK(channel || reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD);
  amqp_channel_close_t *soft = reply.reply.decoded;
  amqp_connection_close_t *hard = reply.reply.decoded;
  amqp_bytes_t found = channel ? soft->reply_text : hard->reply_text;
  if (!same(found, text)) fprintf(stderr, "%.*s\n", (int)found.len, (char *)found.bytes);
  CHECK((channel ? soft->reply_code : hard->reply_code) == code && same(found, text));
}
