package interop;

import com.rabbitmq.client.Channel;
import java.io.IOException;
import java.util.concurrent.TimeUnit;

/** Asks the broker for something small again and again, on a thread of its own: how long is the longest wait? */
final class Pinger implements AutoCloseable {
    private final Channel channel;
    private final Thread thread = new Thread(this::run);
    private volatile boolean over;
    private volatile long longest;
    private volatile Exception problem;

    Pinger(Channel channel) {
        this.channel = channel;
        thread.start();
    }

    private void run() {
        try {
            while (!over) ping();
        } catch (IOException | InterruptedException end) {
            problem = end;
        }
    }

    private void ping() throws IOException, InterruptedException {
        long began = System.nanoTime();
        channel.basicQos(1);
        longest = Math.max(longest, TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began));
        Thread.sleep(1);
    }

    /** For some milliseconds more. */
    void goOn(long milliseconds) throws InterruptedException {
        Thread.sleep(milliseconds);
    }

    /** The longest wait for an answer so far, in milliseconds. */
    long longest() {
        if (problem != null) throw new AssertionError("no answer", problem);
        return longest;
    }

    @Override
    public void close() throws InterruptedException {
        over = true;
        thread.join();
    }
}
