package interop;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The client's own recovery: says "connected", waits for the broker to go and come, has its consumer again. */
public final class Recovery {
    public static void main(String[] arguments) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(arguments[0]);
        factory.setNetworkRecoveryInterval(200);
        Connection connection = factory.newConnection();
        CountDownLatch recovered = watch((Recoverable) connection);
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        channel.exchangeDeclare("interop.java.recovery", "fanout", false, true, null);
        channel.queueBind(queue, "interop.java.recovery", "");
        BlockingQueue<String> got = new LinkedBlockingQueue<>();
        channel.basicConsume(queue, true, (tag, each) -> got.add(new String(each.getBody(), UTF_8)), tag -> { });
        System.out.println("connected");
        Scenarios.check(recovered.await(30, TimeUnit.SECONDS), "not recovered");
        channel.basicPublish("interop.java.recovery", "", null, "after".getBytes(UTF_8));
        Scenarios.equal("after", got.poll(10, TimeUnit.SECONDS));
        connection.close();
        System.out.println("recovered");
    }

    private static CountDownLatch watch(Recoverable connection) {
        CountDownLatch recovered = new CountDownLatch(1);
        connection.addRecoveryListener(new RecoveryListener() {
            @Override
            public void handleRecovery(Recoverable recoverable) {
                recovered.countDown();
            }

            @Override
            public void handleRecoveryStarted(Recoverable recoverable) { }
        });
        return recovered;
    }
}
