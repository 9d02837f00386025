package interop;

import static interop.Peer.refused;
import static interop.Scenarios.check;
import static interop.Scenarios.equal;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.AMQP.BasicProperties;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.Envelope;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.MessageProperties;
import com.rabbitmq.client.RpcClient;
import com.rabbitmq.client.RpcClientParams;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** RabbitMQ's Java client; the first argument is the broker's URL. */
public final class AmqpScenarios {
    private static final int SECONDS = 10;
    private static Peer peer;

    public static void main(String[] arguments) throws Exception {
        peer = new Peer(arguments[0]);
        int failures = new Scenarios()
            .add("confirms, persistent messages, in order", peer.with(AmqpScenarios::confirms))
            .add("a consumer acknowledges, nacks, has it again", peer.with(AmqpScenarios::requeue))
            .add("what is rejected goes to the dead-letter exchange", peer.with(AmqpScenarios::deadLetter))
            .add("an exclusive queue is locked to others", peer.with(AmqpScenarios::exclusive))
            .add("a mandatory message without a way is returned", peer.with(AmqpScenarios::returned))
            .add("a transaction commits and rolls back", peer.with(AmqpScenarios::transaction))
            .add("priorities", peer.with(AmqpScenarios::priorities))
            .add("consumers take turns at a shared prefetch", peer.with(AmqpScenarios::sharedPrefetch))
            .add("a missing queue closes the channel with 404", peer.with(AmqpScenarios::missing))
            .add("RPC over direct reply-to", peer.with(AmqpScenarios::rpc))
            .run();
        peer.connection.close();
        System.exit(failures == 0 ? 0 : 1);
    }

    private static BlockingQueue<Delivery> consume(Channel channel, String queue) throws IOException {
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        channel.basicConsume(queue, false, (tag, delivery) -> got.add(delivery), tag -> { });
        return got;
    }

    private static Delivery next(BlockingQueue<Delivery> from) throws InterruptedException {
        Delivery delivery = from.poll(SECONDS, TimeUnit.SECONDS);
        check(delivery != null, "nothing came");
        return delivery;
    }

    private static String body(Channel channel, String queue) throws IOException {
        GetResponse got = channel.basicGet(queue, true);
        return got == null ? null : new String(got.getBody(), UTF_8);
    }

    private static void confirms(Channel channel) throws Exception {
        String queue = "interop.java.confirms";
        channel.queueDeclare(queue, true, false, false, null);
        channel.confirmSelect();
        for (int i = 0; i < 300; i++) {
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, ("" + i).getBytes(UTF_8));
        }
        channel.waitForConfirmsOrDie(SECONDS * 1000L);
        equal(300L, channel.messageCount(queue));
        for (int i = 0; i < 300; i++) equal("" + i, body(channel, queue));
        channel.queueDelete(queue);
    }

    private static void requeue(Channel channel) throws Exception {
        String queue = channel.queueDeclare().getQueue();
        channel.basicQos(1);
        channel.basicPublish("", queue, null, "one".getBytes(UTF_8));
        BlockingQueue<Delivery> got = consume(channel, queue);
        Delivery first = next(got);
        check(!first.getEnvelope().isRedeliver(), "fresh");
        channel.basicNack(first.getEnvelope().getDeliveryTag(), false, true);
        Delivery second = next(got);
        check(second.getEnvelope().isRedeliver(), "redelivered");
        channel.basicAck(second.getEnvelope().getDeliveryTag(), false);
        equal(0L, channel.messageCount(queue));
    }

    private static void sharedPrefetch(Channel channel) throws Exception {
        channel.basicQos(1, true);
        BlockingQueue<Delivery> got = new LinkedBlockingQueue<>();
        for (String tag : List.of("first", "second")) {
            String queue = channel.queueDeclare().getQueue();
            channel.basicConsume(queue, false, tag, (by, delivery) -> got.add(delivery), by -> { });
            for (int i = 0; i < 2; i++) channel.basicPublish("", queue, null, tag.getBytes(UTF_8));
        }
        for (String tag : List.of("first", "second", "first", "second")) {
            Delivery delivery = next(got);
            equal(tag, new String(delivery.getBody(), UTF_8));
            check(got.isEmpty(), "one at a time");
            channel.basicAck(delivery.getEnvelope().getDeliveryTag(), false);
        }
    }

    private static void deadLetter(Channel channel) throws Exception {
        String dead = channel.queueDeclare().getQueue();
        String queue = "interop.java.dead-letter";
        channel.queueDeclare(queue, false, true, false,
            Map.of("x-dead-letter-exchange", "", "x-dead-letter-routing-key", dead));
        channel.basicPublish("", queue, null, "bad".getBytes(UTF_8));
        channel.basicReject(next(consume(channel, queue)).getEnvelope().getDeliveryTag(), false);
        Delivery delivery = next(consume(channel, dead));
        List<?> deaths = (List<?>) delivery.getProperties().getHeaders().get("x-death");
        Map<?, ?> death = (Map<?, ?>) deaths.get(0);
        equal("rejected", death.get("reason").toString());
        equal(queue, death.get("queue").toString());
        equal(1L, death.get("count"));
        channel.queueDelete(queue);
    }

    private static void exclusive(Channel channel) throws Exception {
        String queue = channel.queueDeclare().getQueue();
        try (Connection other = peer.connect()) {
            Channel stranger = other.createChannel();
            refused(405, () -> stranger.queueDeclarePassive(queue));
        }
    }

    private static void missing(Channel channel) throws Exception {
        refused(404, () -> channel.queueDeclarePassive("interop.java.nowhere"));
        check(!channel.isOpen() && peer.connection.isOpen(), "only the channel closes");
    }

    private static void returned(Channel channel) throws Exception {
        BlockingQueue<String> events = new LinkedBlockingQueue<>();
        channel.addReturnListener(back -> events.add(back.getReplyCode() + " " + back.getReplyText()));
        channel.addConfirmListener((tag, multiple) -> events.add("ack"), (tag, multiple) -> events.add("nack"));
        channel.confirmSelect();
        channel.basicPublish("", "interop.java.nowhere", true, null, "lost".getBytes(UTF_8));
        equal("312 NO_ROUTE", events.poll(SECONDS, TimeUnit.SECONDS));
        equal("ack", events.poll(SECONDS, TimeUnit.SECONDS));
    }

    private static void transaction(Channel channel) throws Exception {
        String queue = channel.queueDeclare().getQueue();
        channel.txSelect();
        channel.basicPublish("", queue, null, "dropped".getBytes(UTF_8));
        channel.txRollback();
        equal(0L, channel.messageCount(queue));
        channel.basicPublish("", queue, null, "kept".getBytes(UTF_8));
        equal(0L, channel.messageCount(queue));
        channel.txCommit();
        equal("kept", body(channel, queue));
        channel.txCommit();
    }

    private static void priorities(Channel channel) throws Exception {
        String queue = "interop.java.priorities";
        channel.queueDeclare(queue, false, true, false, Map.of("x-max-priority", 5));
        for (int priority : new int[] {1, 5, 3}) {
            BasicProperties properties = new BasicProperties.Builder().priority(priority).build();
            channel.basicPublish("", queue, properties, ("" + priority).getBytes(UTF_8));
        }
        for (String priority : List.of("5", "3", "1")) equal(priority, body(channel, queue));
        channel.queueDelete(queue);
    }

    private static void rpc(Channel channel) throws Exception {
        String queue = channel.queueDeclare().getQueue();
        Channel serving = peer.connection.createChannel();
        serving.basicConsume(queue, true, new DefaultConsumer(serving) {
            @Override
            public void handleDelivery(String tag, Envelope envelope, BasicProperties asked, byte[] body)
                    throws IOException {
                BasicProperties answer =
                    new BasicProperties.Builder().correlationId(asked.getCorrelationId()).build();
                byte[] upper = new String(body, UTF_8).toUpperCase().getBytes(UTF_8);
                serving.basicPublish("", asked.getReplyTo(), answer, upper);
            }
        });
        RpcClient client = new RpcClient(
            new RpcClientParams().channel(channel).exchange("").routingKey(queue)
                .replyTo("amq.rabbitmq.reply-to").timeout(SECONDS * 1000));
        equal("HELLO", client.stringCall("hello"));
        equal("AGAIN", client.stringCall("again"));
        client.close();
        serving.close();
    }
}
