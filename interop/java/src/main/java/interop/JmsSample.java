package interop;

import com.rabbitmq.jms.admin.RMQConnectionFactory;
import jakarta.jms.Connection;
import jakarta.jms.ConnectionFactory;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.Queue;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;

/** A JMS program as it was; only {@link #connectionFactory} knows which broker it is. */
public final class JmsSample {
    static ConnectionFactory connectionFactory(String url) throws Exception {
        RMQConnectionFactory factory = new RMQConnectionFactory();
        factory.setUri(url);
        return factory;
    }

    static void produce(ConnectionFactory connectionFactory, String text) throws Exception {
        Connection connection = connectionFactory.createConnection();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Queue queue = session.createQueue("my-queue");
        MessageProducer producer = session.createProducer(queue);
        TextMessage message = session.createTextMessage(text);
        producer.send(message);
        connection.close();
    }

    static String consume(ConnectionFactory connectionFactory) throws Exception {
        Connection connection = connectionFactory.createConnection();
        connection.start();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(session.createQueue("my-queue"));
        TextMessage message = (TextMessage) consumer.receive(10_000);
        connection.close();
        return message == null ? null : message.getText();
    }

    public static void main(String[] arguments) throws Exception {
        ConnectionFactory connectionFactory = connectionFactory(arguments[0]);
        produce(connectionFactory, "Hello");
        System.out.println(consume(connectionFactory));
    }
}
