/* What every scenario needs: a channel on a connection of its own, a queue, a message within ten seconds.
 * Whatever goes wrong ends the program with a line that says where. */
#ifndef PEER_H
#define PEER_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define CHANNEL 1
#define NONE amqp_empty_table
#define TEXT(literal) amqp_cstring_bytes(literal)

#define CHECK(condition) \
  do { \
    if (!(condition)) { \
      fprintf(stderr, "FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition); \
      exit(1); \
    } \
  } while (0)

/* An answer that is no exception. */
#define GOOD(peer) CHECK(amqp_get_rpc_reply(peer).reply_type == AMQP_RESPONSE_NORMAL)

typedef amqp_connection_state_t peer_t;

/* Where the broker listens, set once by main. */
extern int port;

/* A socket to the broker, before the login. */
peer_t peer_new(void);

/* Log in as guest; the capabilities are RabbitMQ's extensions that the scenarios use. */
amqp_rpc_reply_t peer_login(peer_t peer, const char *vhost, const char *password, int heartbeat);

/* Logged in, the channel open. */
peer_t peer_open(void);

/* With publisher confirms. */
peer_t peer_confirming(void);

void peer_close(peer_t peer);

/* An exclusive queue with the broker's name, which the caller frees. */
amqp_bytes_t queue_new(peer_t peer, amqp_table_t arguments);

/* A queue that everybody may use; it goes with its last consumer or by queue_delete. */
void queue_named(peer_t peer, const char *name);

void publish(peer_t peer, const char *exchange, amqp_bytes_t key, amqp_bytes_t body,
             const amqp_basic_properties_t *properties);

/* The broker's answer to what was published with confirms: true for ack. */
bool confirmed(peer_t peer);

/* Publish to a queue by the default exchange, and see it confirmed. */
void put(peer_t peer, amqp_bytes_t queue, const char *body);

void consume(peer_t peer, amqp_bytes_t queue, bool no_ack);

/* The next delivery, which the caller destroys. */
amqp_envelope_t next(peer_t peer);

/* Nothing comes for as long as a prefetched message would need. */
bool silent(peer_t peer);

/* Take one message; false when the queue is empty. The caller destroys the message. */
bool get(peer_t peer, amqp_bytes_t queue, amqp_message_t *message);

/* The queue's next message is this one; NULL when there is none. */
bool has(peer_t peer, amqp_bytes_t queue, const char *body);

bool same(amqp_bytes_t bytes, const char *text);

/* The answer is that the channel or the connection is closed, with RabbitMQ's code and text. */
void refused(amqp_rpc_reply_t reply, int code, const char *text);

#endif
