package interop;

import static interop.Scenarios.check;
import static interop.Scenarios.equal;

import jakarta.jms.BytesMessage;
import jakarta.jms.Connection;
import jakarta.jms.ConnectionFactory;
import jakarta.jms.DeliveryMode;
import jakarta.jms.JMSContext;
import jakarta.jms.MapMessage;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.MessageProducer;
import jakarta.jms.ObjectMessage;
import jakarta.jms.Queue;
import jakarta.jms.QueueBrowser;
import jakarta.jms.Session;
import jakarta.jms.StreamMessage;
import jakarta.jms.TemporaryQueue;
import jakarta.jms.TextMessage;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** The RabbitMQ JMS client; the first argument is the broker's URL. */
public final class JmsScenarios {
    static final long WAIT = 10_000;
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
            .add("a message listener", with(JmsScenarios::listen))
            .add("a queue browser takes nothing", with(JmsScenarios::browse))
            .add("a delivery delay", with(JmsScenarios::delayed))
            .add("priority and time to live", with(JmsScenarios::priorityAndTimeToLive))
            .add("request and reply by a temporary queue", with(JmsScenarios::requestAndReply))
            .add("the simplified API of JMS 2.0", JmsScenarios::context)
            .add("a topic", with(JmsTopics::topic))
            .add("selectors", with(JmsTopics::selectors))
            .add("each selector with its own topic", with(JmsTopics::selectorsOfTwoTopics))
            .add("a durable subscription outlives its connection", JmsTopics::durable)
            .add("a durable subscription selects while nobody is there", JmsTopics::durableSelector)
            .add("unsubscribed is forgotten", JmsTopics::unsubscribed)
            .add("a shared subscription is shared", with(JmsTopics::shared))
            .add("a shared durable subscription outlives its consumers", JmsTopics::sharedDurable)
            .run();
        System.exit(failures == 0 ? 0 : 1);
    }

    static Scenarios.Scenario with(Work work) {
        return () -> {
            try (Connection connection = factory.createConnection()) {
                connection.start();
                work.on(connection);
            }
        };
    }

    static Session session(Connection connection) throws Exception {
        return connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
    }

    private static void send(Session session, Queue queue, String text) throws Exception {
        session.createProducer(queue).send(session.createTextMessage(text));
    }

    static String text(Message message) throws Exception {
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
        StreamMessage stream = session.createStreamMessage();
        stream.writeString("one");
        stream.writeDouble(1.5);
        producer.send(stream);
        StreamMessage gotStream = (StreamMessage) consumer.receive(WAIT);
        equal("one", gotStream.readString());
        equal(1.5, gotStream.readDouble());
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

    private static void listen(Connection connection) throws Exception {
        Session session = session(connection);
        Queue queue = session.createQueue("interop.jms.listen");
        BlockingQueue<Message> got = new LinkedBlockingQueue<>();
        session.createConsumer(queue).setMessageListener(got::add);
        send(session(connection), queue, "one");
        send(session(connection), queue, "two");
        equal("one", text(got.poll(WAIT, TimeUnit.MILLISECONDS)));
        equal("two", text(got.poll(WAIT, TimeUnit.MILLISECONDS)));
    }

    private static void priorityAndTimeToLive(Connection connection) throws Exception {
        Session session = session(connection);
        Queue queue = session.createQueue("interop.jms.priority");
        MessageProducer producer = session.createProducer(queue);
        producer.send(session.createTextMessage("too late"), DeliveryMode.NON_PERSISTENT, 4, 50);
        Thread.sleep(300);
        producer.send(session.createTextMessage("in time"), DeliveryMode.PERSISTENT, 7, 60_000);
        Message got = session.createConsumer(queue).receive(WAIT);
        equal("in time", text(got));
        equal(7, got.getJMSPriority());
        equal(DeliveryMode.PERSISTENT, got.getJMSDeliveryMode());
        check(got.getJMSExpiration() > System.currentTimeMillis(), "expiration");
    }

    private static void requestAndReply(Connection connection) throws Exception {
        Session server = session(connection);
        Queue queue = server.createQueue("interop.jms.requests");
        server.createConsumer(queue).setMessageListener(request -> {
            try {
                TextMessage reply = server.createTextMessage(text(request) + "!");
                reply.setJMSCorrelationID(request.getJMSMessageID());
                server.createProducer(null).send(request.getJMSReplyTo(), reply);
            } catch (Exception problem) {
                throw new IllegalStateException(problem);
            }
        });
        Session session = session(connection);
        TemporaryQueue replies = session.createTemporaryQueue();
        TextMessage request = session.createTextMessage("who");
        request.setJMSReplyTo(replies);
        session.createProducer(queue).send(request);
        Message reply = session.createConsumer(replies).receive(WAIT);
        equal("who!", text(reply));
        equal(request.getJMSMessageID(), reply.getJMSCorrelationID());
    }

    private static void context() throws Exception {
        try (JMSContext context = factory.createContext("guest", "guest", JMSContext.AUTO_ACKNOWLEDGE)) {
            Queue queue = context.createQueue("interop.jms.context");
            context.createProducer().setProperty("colour", "blue").send(queue, "hello");
            Message got = context.createConsumer(queue).receive(WAIT);
            equal("hello", got.getBody(String.class));
            equal("blue", got.getStringProperty("colour"));
        }
    }
}
