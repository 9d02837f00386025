package interop;

import static interop.Scenarios.check;
import static interop.Scenarios.equal;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.MessageProperties;
import java.io.IOException;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Streams by RabbitMQ's Java client, over AMQP 0-9-1; the first argument is the broker's URL. As RabbitMQ 4 has
 * them: before, there are no filters, nothing can be nacked, and some refusals are in other words.
 */
public final class StreamScenarios {
    private static final int SECONDS = 10;
    private static final int COUNT = 1000;
    private static final int MANY = 300_000;
    private static final int UNCONFIRMED = 10_000;
    private static final long PAUSE_MILLISECONDS = 500;
    private static final String VALUE = "x-stream-filter-value";
    private static Peer peer;

    public static void main(String[] arguments) throws Exception {
        peer = new Peer(arguments[0]);
        int failures = new Scenarios()
            .add("declared with its limits, and not otherwise again", peer.with(StreamScenarios::declared))
            .add("read from the first, the last, the next, a number", peer.with(StreamScenarios::offsets))
            .add("read since a moment, and since a time span ago", peer.with(StreamScenarios::since))
            .add("two consumers, each at its own pace", peer.with(StreamScenarios::paces))
            .add("what streams refuse", peer.with(StreamScenarios::refusals))
            .add("offsets that are none", peer.with(StreamScenarios::badOffsets))
            .add("a large one is deleted, and nobody waits for it", peer.with(StreamScenarios::deleted))
            .add("filters", peer.with(StreamScenarios::filters))
            .add("what is nacked and rejected does not come again", peer.with(StreamScenarios::notRequeued))
            .run();
        peer.connection.close();
        System.exit(failures == 0 ? 0 : 1);
    }

    private static String declare(Channel channel, String name, Map<String, Object> more) throws IOException {
        String stream = "interop.java.stream." + name;
        Map<String, Object> arguments = new HashMap<>(more);
        arguments.put("x-queue-type", "stream");
        channel.queueDelete(stream);
        channel.queueDeclare(stream, true, false, false, arguments);
        return stream;
    }

    /** Publish the numbers from one to below another, and wait until they are confirmed. */
    private static void publish(Channel channel, String stream, int from, int to) throws Exception {
        channel.confirmSelect();
        for (int i = from; i < to; i++) {
            channel.basicPublish("", stream, MessageProperties.PERSISTENT_BASIC, ("" + i).getBytes(UTF_8));
            if (i % UNCONFIRMED == 0) channel.waitForConfirmsOrDie(SECONDS * 1000L);
        }
        channel.waitForConfirmsOrDie(SECONDS * 1000L);
    }

    private static BlockingQueue<Delivery> consume(Channel channel, String stream, Map<String, Object> arguments)
            throws IOException {
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        channel.basicConsume(
            stream, false, "", false, false, arguments, (tag, delivery) -> got.add(delivery), tag -> { });
        return got;
    }

    private static BlockingQueue<Delivery> consumeFrom(Channel channel, String stream, Object offset)
            throws IOException {
        return consume(channel, stream, Map.of("x-stream-offset", offset));
    }

    /** The next message, acknowledged. */
    private static Delivery next(Channel channel, BlockingQueue<Delivery> from) throws Exception {
        Delivery delivery = from.poll(SECONDS, TimeUnit.SECONDS);
        check(delivery != null, "nothing came");
        channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        return delivery;
    }

    private static Object offset(Delivery delivery) {
        return delivery.getProperties().getHeaders().get("x-stream-offset");
    }

    private static String body(Delivery delivery) {
        return new String(delivery.getBody(), UTF_8);
    }

    /** See that these numbers come, which are the offsets of the messages too. */
    private static void expect(Channel channel, BlockingQueue<Delivery> got, long from, long to)
            throws Exception {
        for (long i = from; i < to; i++) {
            Delivery delivery = next(channel, got);
            equal("" + i, body(delivery));
            equal(i, offset(delivery));
        }
    }

    /** Consume on a channel of its own: these numbers come. */
    private static void read(String stream, Object offset, long from, long to) throws Exception {
        peer.on(channel -> {
            channel.basicQos(100);
            expect(channel, consumeFrom(channel, stream, offset), from, to);
        });
    }

    private static void declared(Channel channel) throws Exception {
        Map<String, Object> limits =
            Map.of("x-max-length-bytes", 5_000_000_000L, "x-stream-max-segment-size-bytes", 100_000_000);
        String stream = declare(channel, "declared", limits);
        publish(channel, stream, 0, COUNT);
        read(stream, "first", 0, COUNT);
        String text = peer.refuses(406, other ->
            other.queueDeclare(stream, true, false, false, Map.of("x-queue-type", "stream")));
        check(text.contains("inequivalent arg 'x-max-length-bytes' for queue '" + stream + "'"), text);
        channel.queueDelete(stream);
    }

    private static void offsets(Channel channel) throws Exception {
        String stream = declare(channel, "offsets", Map.of());
        publish(channel, stream, 0, COUNT);
        publish(channel, stream, COUNT, COUNT + 1);
        Channel late = peer.connection.createChannel();
        late.basicQos(1);
        BlockingQueue<Delivery> later = consumeFrom(late, stream, "next");
        read(stream, "first", 0, COUNT + 1);
        read(stream, "last", COUNT, COUNT + 1);
        read(stream, COUNT - 10, COUNT - 10, COUNT + 1);
        read(stream, (long) COUNT, COUNT, COUNT + 1);
        publish(channel, stream, COUNT + 1, COUNT + 3);
        expect(late, later, COUNT + 1, COUNT + 3);
        late.close();
        channel.queueDelete(stream);
    }

    private static void since(Channel channel) throws Exception {
        String stream = declare(channel, "since", Map.of());
        publish(channel, stream, 0, COUNT);
        // A timestamp of AMQP has no parts of seconds.
        long second = System.currentTimeMillis() / 1000 * 1000 + 1000;
        while (System.currentTimeMillis() < second) Thread.sleep(10);
        publish(channel, stream, COUNT, COUNT + 10);
        read(stream, new Date(second), COUNT, COUNT + 10);
        read(stream, "1h", 0, COUNT + 10);
        channel.queueDelete(stream);
    }

    private static void paces(Channel channel) throws Exception {
        String stream = declare(channel, "paces", Map.of());
        publish(channel, stream, 0, COUNT);
        channel.basicQos(1);
        BlockingQueue<Delivery> slow = consumeFrom(channel, stream, "first");
        expect(channel, slow, 0, 10);
        read(stream, "first", 0, COUNT);
        expect(channel, slow, 10, 20);
        read(stream, "first", 0, COUNT);
        expect(channel, slow, 20, COUNT);
        equal(null, slow.poll(200, TimeUnit.MILLISECONDS));
        channel.queueDelete(stream);
    }

    private static void notRequeued(Channel channel) throws Exception {
        String stream = declare(channel, "requeued", Map.of());
        publish(channel, stream, 0, 4);
        channel.basicQos(1);
        BlockingQueue<Delivery> got = consumeFrom(channel, stream, "first");
        channel.basicNack(got.poll(SECONDS, TimeUnit.SECONDS).getEnvelope().getDeliveryTag(), false, true);
        channel.basicReject(got.poll(SECONDS, TimeUnit.SECONDS).getEnvelope().getDeliveryTag(), true);
        expect(channel, got, 2, 4);
        read(stream, "first", 0, 4);
        channel.queueDelete(stream);
    }

    private static void refusals(Channel channel) throws Exception {
        String stream = declare(channel, "refusals", Map.of());
        String where = "queue '" + stream + "' in vhost '/'";
        equal("PRECONDITION_FAILED - consumer prefetch count is not set for stream " + where,
            peer.refuses(406, other -> consume(other, stream, Map.of())));
        equal("NOT_IMPLEMENTED - automatic acknowledgement not supported by stream " + where,
            peer.refuses(540, other -> {
                other.basicQos(1);
                other.basicConsume(stream, true, (tag, delivery) -> { }, tag -> { });
            }));
        equal("NOT_IMPLEMENTED - " + where + " does not support global qos",
            peer.refuses(540, other -> {
                other.basicQos(1);
                other.basicQos(1, true);
                consume(other, stream, Map.of());
            }));
        equal("NOT_IMPLEMENTED - basic.get not supported by stream queues " + where,
            peer.refuses(540, other -> other.basicGet(stream, false)));
        equal("NOT_IMPLEMENTED - queue.purge not supported by stream queues " + where,
            peer.refuses(540, other -> other.queuePurge(stream)));
        channel.queueDelete(stream);
    }

    private static void badOffsets(Channel channel) throws Exception {
        String stream = declare(channel, "bad-offsets", Map.of());
        for (Object offset : List.of("never", "1 hour", true, List.of(1))) {
            String text = peer.refuses(406, other -> {
                other.basicQos(1);
                consumeFrom(other, stream, offset);
            });
            check(text.contains("invalid arg 'x-stream-offset' for queue '" + stream + "'"), text);
        }
        channel.queueDelete(stream);
    }

    private static void filters(Channel channel) throws Exception {
        String stream = declare(channel, "filters", Map.of("x-stream-filter-size-bytes", 32));
        String[] regions = {"north", "south", null};
        channel.confirmSelect();
        for (int i = 0; i < COUNT; i++) {
            Map<String, Object> headers = new HashMap<>();
            if (regions[i % 3] != null) headers.put(VALUE, regions[i % 3]);
            BasicProperties properties = new BasicProperties.Builder().headers(headers).build();
            channel.basicPublish("", stream, properties, ("" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(SECONDS * 1000L);
        filtered(stream, Map.of("x-stream-filter", "north"), List.of(0));
        filtered(stream, Map.of("x-stream-filter", List.of("north", "south")), List.of(0, 1));
        filtered(stream, Map.of("x-stream-filter", "south", "x-stream-match-unfiltered", true), List.of(1, 2));
        channel.queueDelete(stream);
    }

    /** Of each three messages in a row these come. A broker may send more, so a client looks again. */
    private static void filtered(String stream, Map<String, Object> filter, List<Integer> wanted)
            throws Exception {
        Map<String, Object> arguments = new HashMap<>(filter);
        arguments.put("x-stream-offset", "first");
        peer.on(channel -> {
            channel.basicQos(100);
            BlockingQueue<Delivery> got = consume(channel, stream, arguments);
            for (int i = 0; i < COUNT; i++) {
                if (!wanted.contains(i % 3)) continue;
                Delivery delivery = next(channel, got);
                while (!wanted.contains(Integer.parseInt(body(delivery)) % 3)) delivery = next(channel, got);
                equal("" + i, body(delivery));
                equal((long) i, offset(delivery));
            }
        });
    }

    private static void deleted(Channel channel) throws Exception {
        String stream = declare(channel, "deleted", Map.of());
        publish(channel, stream, 0, MANY);
        try (Connection other = peer.connect(); Pinger pinger = new Pinger(other.createChannel())) {
            channel.queueDelete(stream);
            peer.refuses(404, third -> third.queueDeclarePassive(stream));
            pinger.goOn(500);
            check(pinger.longest() < PAUSE_MILLISECONDS, "a pause of " + pinger.longest() + " ms");
        }
    }
}
