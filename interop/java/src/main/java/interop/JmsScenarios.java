package interop;

import static interop.Scenarios.check;
import static interop.Scenarios.equal;

import jakarta.jms.BytesMessage;
import jakarta.jms.Connection;
import jakarta.jms.ConnectionFactory;
import jakarta.jms.MapMessage;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.ObjectMessage;
import jakarta.jms.Queue;
import jakarta.jms.QueueBrowser;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import jakarta.jms.Topic;
import java.util.Collections;
import java.util.List;

/** The RabbitMQ JMS client; the first argument is the broker's URL. */
public final class JmsScenarios {
    private static final long WAIT = 10_000;
    private static ConnectionFactory factory;

    interface Work {
        void on(Connection connection) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        factory = JmsSample.connectionFactory(arguments[0]);
        int failures = new Scenarios()
            .add("the classic producer and consumer", JmsScenarios::classic)
            .add("kinds of messages", with(JmsScenarios::kinds))
            .add("a transacted session commits and rolls back", with(JmsScenarios::transacted))
            .add("CLIENT_ACKNOWLEDGE and recover", with(JmsScenarios::recover))
            .add("a topic", with(JmsScenarios::topic))
            .add("a durable subscription outlives its connection", JmsScenarios::durable)
            .add("a queue browser takes nothing", with(JmsScenarios::browse))
            .add("a delivery delay", with(JmsScenarios::delayed))
            .run();
        System.exit(failures == 0 ? 0 : 1);
    }

    private static Scenarios.Scenario with(Work work) {
        return () -> {
            try (Connection connection = factory.createConnection()) {
                connection.start();
                work.on(connection);
            }
        };
    }

    private static Session session(Connection connection) throws Exception {
        return connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    }

    private static void send(Session session, Queue queue, String text) throws Exception {
        session.createProducer(queue).send(session.createTextMessage(text));
    }

    private static String text(Message message) throws Exception {
        check(message != null, "nothing came");
        return ((TextMessage) message).getText();
    }

    private static void classic() throws Exception {
        JmsSample.produce(factory, "Hello");
        equal("Hello", JmsSample.consume(factory));
    }

    private static void kinds(Connection connection) throws Exception {
        Session session = session(connection);
        Queue queue = session.createQueue("interop.jms.kinds");
        MessageProducer producer = session.createProducer(queue);
        MessageConsumer consumer = session.createConsumer(queue);
        BytesMessage bytes = session.createBytesMessage();
        bytes.writeLong(-7);
        bytes.setStringProperty("colour", "blue");
        bytes.setJMSCorrelationID("c-1");
        producer.send(bytes);
        BytesMessage gotBytes = (BytesMessage) consumer.receive(WAIT);
        equal(-7L, gotBytes.readLong());
        equal("blue", gotBytes.getStringProperty("colour"));
        equal("c-1", gotBytes.getJMSCorrelationID());
        MapMessage map = session.createMapMessage();
        map.setInt("number", 42);
        producer.send(map);
        equal(42, ((MapMessage) consumer.receive(WAIT)).getInt("number"));
        producer.send(session.createObjectMessage(new java.util.ArrayList<>(List.of("a", "b"))));
        equal(List.of("a", "b"), ((ObjectMessage) consumer.receive(WAIT)).getObject());
    }

    private static void transacted(Connection connection) throws Exception {
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        Queue queue = session.createQueue("interop.jms.transacted");
        send(session, queue, "dropped");
        session.rollback();
        send(session, queue, "kept");
        session.commit();
        MessageConsumer consumer = session.createConsumer(queue);
        equal("kept", text(consumer.receive(WAIT)));
        session.rollback();
        Message again = consumer.receive(WAIT);
        equal("kept", text(again));
        check(again.getJMSRedelivered(), "redelivered");
        session.commit();
        equal(null, consumer.receiveNoWait());
    }

    private static void recover(Connection connection) throws Exception {
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        Queue queue = session.createQueue("interop.jms.recover");
        send(session, queue, "once more");
        MessageConsumer consumer = session.createConsumer(queue);
        equal("once more", text(consumer.receive(WAIT)));
        session.recover();
        Message again = consumer.receive(WAIT);
        equal("once more", text(again));
        check(again.getJMSRedelivered(), "redelivered");
        again.acknowledge();
        session.recover();
        equal(null, consumer.receiveNoWait());
    }

    private static void topic(Connection connection) throws Exception {
        Session session = session(connection);
        Topic topic = session.createTopic("interop.jms.news");
        MessageConsumer one = session.createConsumer(topic);
        MessageConsumer two = session.createConsumer(topic);
        session.createProducer(topic).send(session.createTextMessage("to all"));
        equal("to all", text(one.receive(WAIT)));
        equal("to all", text(two.receive(WAIT)));
    }

    private static void durable() throws Exception {
        with(connection -> {
            Session session = session(connection);
            session.createDurableSubscriber(session.createTopic("interop.jms.durable"), "interop.jms.reader");
        }).run();
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.durable");
            session.createProducer(topic).send(session.createTextMessage("while away"));
        }).run();
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.durable");
            MessageConsumer reader = session.createDurableSubscriber(topic, "interop.jms.reader");
            equal("while away", text(reader.receive(WAIT)));
            reader.close();
            session.unsubscribe("interop.jms.reader");
        }).run();
    }

    private static void browse(Connection connection) throws Exception {
        Session session = session(connection);
        Queue queue = session.createQueue("interop.jms.browse");
        send(session, queue, "first");
        send(session, queue, "second");
        QueueBrowser browser = session.createBrowser(queue);
        equal(2, Collections.list(browser.getEnumeration()).size());
        browser.close();
        MessageConsumer consumer = session.createConsumer(queue);
        equal("first", text(consumer.receive(WAIT)));
        equal("second", text(consumer.receive(WAIT)));
    }

    private static void delayed(Connection connection) throws Exception {
        Session session = session(connection);
        Queue queue = session.createQueue("interop.jms.delayed");
        MessageProducer producer = session.createProducer(queue);
        producer.setDeliveryDelay(300);
        long sent = System.nanoTime();
        producer.send(session.createTextMessage("late"));
        equal("late", text(session.createConsumer(queue).receive(WAIT)));
        check(System.nanoTime() - sent >= 300_000_000L, "too early");
    }
}
