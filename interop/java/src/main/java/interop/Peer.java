package interop;

import static interop.Scenarios.equal;

import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;

/** The broker at a URL: a connection to it, and channels that last for one scenario each. */
final class Peer {
    interface Work {
        void on(Channel channel) throws Exception;
    }

    private final String url;
    final Connection connection;

    Peer(String url) throws Exception {
        this.url = url;
        connection = connect();
    }

    /** One more connection. */
    Connection connect() throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(url);
        return factory.newConnection();
    }

    Scenarios.Scenario with(Work work) {
        return () -> on(work);
    }

    /** Do something on a channel of its own, which is closed behind it. */
    void on(Work work) throws Exception {
        Channel channel = connection.createChannel();
        try {
            work.on(channel);
        } finally {
            if (channel.isOpen()) channel.close();
        }
    }

    /** See that the broker refuses something on a connection of its own, by closing that; its text. */
    String refuses(int code, Work work) throws Exception {
        Connection own = connect();
        try {
            return refused(code, () -> work.on(own.createChannel()));
        } finally {
            own.abort();
        }
    }

    /** See that the broker closes the channel, or the connection, with that code; its text. */
    static String refused(int code, Scenarios.Scenario work) throws Exception {
        try {
            work.run();
        } catch (IOException problem) {
            ShutdownSignalException signal = (ShutdownSignalException) problem.getCause();
            if (signal.getReason() instanceof AMQP.Connection.Close close) {
                equal(code, close.getReplyCode());
                return close.getReplyText();
            }
            AMQP.Channel.Close close = (AMQP.Channel.Close) signal.getReason();
            equal(code, close.getReplyCode());
            return close.getReplyText();
        }
        throw new AssertionError("not refused");
    }
}
