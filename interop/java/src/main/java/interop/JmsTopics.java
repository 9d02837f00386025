package interop;

import static interop.JmsScenarios.WAIT;
import static interop.JmsScenarios.session;
import static interop.JmsScenarios.text;
import static interop.JmsScenarios.with;
import static interop.Scenarios.check;
import static interop.Scenarios.equal;

import jakarta.jms.Connection;
import jakarta.jms.Message;
import jakarta.jms.MessageConsumer;
import jakarta.jms.Session;
import jakarta.jms.TextMessage;
import jakarta.jms.Topic;
import java.util.HashSet;
import java.util.Set;

/** What is special to topics: selectors and subscriptions. */
final class JmsTopics {
    private JmsTopics() { }

    static void topic(Connection connection) throws Exception {
        Session session = session(connection);
        Topic topic = session.createTopic("interop.jms.news");
        MessageConsumer one = session.createConsumer(topic);
        MessageConsumer two = session.createConsumer(topic);
        session.createProducer(topic).send(session.createTextMessage("to all"));
        equal("to all", text(one.receive(WAIT)));
        equal("to all", text(two.receive(WAIT)));
    }

    private static void send(Session session, Topic topic, String text, Object colour) throws Exception {
        TextMessage message = session.createTextMessage(text);
        if (colour != null) message.setObjectProperty("colour", colour);
        session.createProducer(topic).send(message);
    }

    private static void gets(MessageConsumer consumer, String... texts) throws Exception {
        for (String text : texts) equal(text, text(consumer.receive(WAIT)));
        equal(null, consumer.receiveNoWait());
    }

    static void selectors(Connection connection) throws Exception {
        Session session = session(connection);
        Topic topic = session.createTopic("interop.jms.selected");
        MessageConsumer equal = session.createConsumer(topic, "colour = 'blue'");
        MessageConsumer like = session.createConsumer(topic, "colour LIKE 'b!_%' ESCAPE '!' OR colour IN ('red', 'it''s')");
        MessageConsumer number = session.createConsumer(topic, "colour BETWEEN 1 AND 2.5 AND colour * 2 <> 4");
        MessageConsumer missing = session.createConsumer(topic, "colour IS NULL AND JMSPriority = 4");
        MessageConsumer negated = session.createConsumer(topic, "NOT colour = 'blue' AND JMSDeliveryMode = 'PERSISTENT'");
        MessageConsumer all = session.createConsumer(topic);
        send(session, topic, "blue", "blue");
        send(session, topic, "b_1", "b_1");
        send(session, topic, "b1", "b1");
        send(session, topic, "red", "red");
        send(session, topic, "quoted", "it's");
        send(session, topic, "1", 1);
        send(session, topic, "2", 2);
        send(session, topic, "2.5", 2.5);
        send(session, topic, "none", null);
        gets(all, "blue", "b_1", "b1", "red", "quoted", "1", "2", "2.5", "none");
        gets(equal, "blue");
        gets(like, "b_1", "red", "quoted");
        gets(number, "1", "2.5");
        gets(missing, "none");
        gets(negated, "b_1", "b1", "red", "quoted", "1", "2", "2.5");
    }

    /** RabbitMQ 3.10 gives both subscribers both messages. */
    static void selectorsOfTwoTopics(Connection connection) throws Exception {
        Session session = session(connection);
        Topic news = session.createTopic("interop.jms.two.news");
        Topic sport = session.createTopic("interop.jms.two.sport");
        MessageConsumer ofNews = session.createConsumer(news, "colour = 'blue'");
        MessageConsumer ofSport = session.createConsumer(sport, "colour = 'blue'");
        MessageConsumer all = session.createConsumer(sport);
        send(session, news, "news", "blue");
        send(session, sport, "sport", "blue");
        gets(all, "sport");
        gets(ofNews, "news");
        gets(ofSport, "sport");
    }

    static void durable() throws Exception {
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

    static void durableSelector() throws Exception {
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.durable.selected");
            session.createDurableConsumer(topic, "interop.jms.chooser", "colour = 'blue'", false).close();
        }).run();
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.durable.selected");
            send(session, topic, "wanted", "blue");
            send(session, topic, "not wanted", "red");
        }).run();
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.durable.selected");
            MessageConsumer reader =
                session.createDurableConsumer(topic, "interop.jms.chooser", "colour = 'blue'", false);
            send(session, topic, "wanted too", "blue");
            gets(reader, "wanted", "wanted too");
            reader.close();
            session.unsubscribe("interop.jms.chooser");
        }).run();
    }

    static void unsubscribed() throws Exception {
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.unsubscribed");
            session.createDurableConsumer(topic, "interop.jms.leaver").close();
            send(session, topic, "for nobody", null);
            session.unsubscribe("interop.jms.leaver");
        }).run();
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.unsubscribed");
            MessageConsumer reader = session.createDurableConsumer(topic, "interop.jms.leaver");
            send(session, topic, "new", null);
            gets(reader, "new");
            reader.close();
            session.unsubscribe("interop.jms.leaver");
        }).run();
    }

    /** All messages, each of them once, whichever consumer it comes to. */
    private static void between(MessageConsumer one, MessageConsumer two, int count) throws Exception {
        Set<String> got = new HashSet<>();
        long end = System.currentTimeMillis() + WAIT;
        for (int received = 0; received < count; ) {
            for (MessageConsumer consumer : new MessageConsumer[] {one, two}) {
                Message message = consumer.receive(100);
                if (message == null) continue;
                check(got.add(text(message)), "twice: " + text(message));
                received++;
            }
            check(System.currentTimeMillis() < end, "only " + got);
        }
        equal(null, one.receiveNoWait());
        equal(null, two.receiveNoWait());
    }

    static void shared(Connection connection) throws Exception {
        Session session = session(connection);
        Topic topic = session.createTopic("interop.jms.shared");
        MessageConsumer one = session.createSharedConsumer(topic, "interop.jms.sharers");
        MessageConsumer two = session(connection).createSharedConsumer(topic, "interop.jms.sharers");
        for (int number = 0; number < 10; number++) send(session, topic, "" + number, null);
        between(one, two, 10);
    }

    static void sharedDurable() throws Exception {
        with(connection -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.shared.durable");
            session.createSharedDurableConsumer(topic, "interop.jms.team").close();
            for (int number = 0; number < 10; number++) send(session, topic, "" + number, null);
        }).run();
        with(connection -> with(other -> {
            Session session = session(connection);
            Topic topic = session.createTopic("interop.jms.shared.durable");
            MessageConsumer one = session.createSharedDurableConsumer(topic, "interop.jms.team");
            MessageConsumer two = session(other).createSharedDurableConsumer(topic, "interop.jms.team");
            between(one, two, 10);
            one.close();
            two.close();
            session.unsubscribe("interop.jms.team");
        }).run()).run();
    }
}
