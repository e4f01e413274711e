import com.azure.messaging.servicebus.*;
import com.azure.messaging.servicebus.models.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;

/** Sessions. */
final class Sessions {
    private Sessions() {}

    private static void put(Bus bus, String session, String... bodies) {
        for (String body : bodies) bus.sender("sessions").sendMessage(new ServiceBusMessage(body).setSessionId(session));
    }

    static void add(Cases c) {
        c.add("a session gives its own, in order", bus -> {
            put(bus, "a", "a0", "a1");
            put(bus, "b", "b0", "b1");
            var r = bus.session("sessions", "b");
            Bus.same(r.getSessionId(), "b");
            Bus.same(Bus.bodies(Bus.receive(r, 2)), List.of("b0", "b1"));
        });
        c.add("the next session", bus -> {
            put(bus, "waiting", "x");
            var r = bus.closes(bus.closes(bus.builder().sessionReceiver().queueName("sessions").disableAutoComplete().buildClient()).acceptNextSession());
            Bus.same(r.getSessionId(), "waiting");
            r.complete(Bus.one(r));
        });
        c.add("no session in time", bus -> {
            var b = new ServiceBusClientBuilder().connectionString(bus.connection)
                .retryOptions(new com.azure.core.amqp.AmqpRetryOptions().setMaxRetries(0).setTryTimeout(Duration.ofSeconds(3)));
            var client = bus.closes(b.sessionReceiver().queueName("sessions").buildClient());
            Bus.fails("", client::acceptNextSession);
        });
        c.add("a session has one owner", bus -> {
            bus.session("sessions", "s");
            Bus.fails("cannot be accepted", () -> bus.session("sessions", "s"));
        });
        c.add("a session that is given back can be taken", bus -> {
            var first = bus.closes(bus.builder().sessionReceiver().queueName("sessions").buildClient());
            Bus.at(first).acceptSession("s").close();
            bus.session("sessions", "s");
        });
        c.add("a state is kept", bus -> {
            var r = bus.session("sessions", "s");
            Bus.same(Bus.at(r).getSessionState(), null);
            Bus.at(r).setSessionState("half".getBytes());
            Bus.same(new String(Bus.at(r).getSessionState()), "half");
            Bus.at(r).setSessionState(null);
            Bus.same(Bus.at(r).getSessionState(), null);
        });
        c.add("a session's lock is renewed", bus -> {
            var r = bus.session("sessions", "s");
            bus.advance(30);
            var until = Bus.at(r).renewSessionLock();
            bus.advance(40);
            Bus.holds(until.isAfter(OffsetDateTime.now()), "later");
            Bus.at(r).setSessionState("mine".getBytes());
        });
        c.add("a session's lock that has ended", bus -> {
            put(bus, "s", "x");
            var r = bus.session("sessions", "s");
            var m = Bus.one(r);
            bus.advance(61);
            Bus.fails("", () -> Bus.at(r).complete(m));
        });
        c.add("verdicts on messages of a session", bus -> {
            put(bus, "s", "a", "b", "c");
            var r = bus.session("sessions", "s");
            var got = Bus.receive(r, 3);
            Bus.at(r).defer(got.get(0));
            Bus.at(r).deadLetter(got.get(1), new DeadLetterOptions().setDeadLetterReason("r"));
            Bus.at(r).abandon(got.get(2));
            r.complete(Bus.one(r));
            Bus.at(r).complete(Bus.at(r).receiveDeferredMessage(got.get(0).getSequenceNumber()));
            Bus.same(List.of(bus.active("sessions"), bus.dead("sessions"), bus.counts("sessions").get("Deferred").asInt()), List.of(0, 1, 0));
        });
        c.add("peek through a session", bus -> {
            put(bus, "a", "a");
            put(bus, "b", "b");
            Bus.same(Bus.bodies(bus.session("sessions", "b").peekMessages(10)), List.of("b"));
        });
        c.add("a queue with sessions wants one", bus -> Bus.fails("", () -> Bus.one(bus.receiver("sessions"))));
        c.add("a queue without sessions has none", bus -> Bus.fails("", () -> bus.session("queue", "s")));
        c.add("a subscription with sessions", bus -> {
            bus.sender("topic").sendMessage(new ServiceBusMessage("x").setSessionId("s"));
            var r = bus.closes(bus.closes(bus.builder().sessionReceiver().topicName("topic").subscriptionName("sessions").disableAutoComplete().buildClient()).acceptSession("s"));
            r.complete(Bus.one(r));
        });
        c.add("a session processor keeps each session's order", bus -> {
            for (int i = 0; i < 4; i++) for (String s : List.of("a", "b", "c")) put(bus, s, "" + i);
            Map<String, List<String>> got = new ConcurrentHashMap<>();
            var p = bus.closes(bus.builder().sessionProcessor().queueName("sessions").maxConcurrentSessions(2).sessionIdleTimeout(Duration.ofSeconds(1))
                .processMessage(x -> got.computeIfAbsent(x.getMessage().getSessionId(), k -> new CopyOnWriteArrayList<>()).add(x.getMessage().getBody().toString()))
                .processError(x -> {}).buildProcessorClient());
            Bus.at(p).start();
            var all = List.of("0", "1", "2", "3");
            Bus.until(() -> got.equals(Map.of("a", all, "b", all, "c", all)));
        });
        c.add("a schedule for a session", bus -> {
            bus.sender("sessions").scheduleMessage(new ServiceBusMessage("x").setSessionId("s"), OffsetDateTime.now().plusHours(1));
            bus.advance(3601);
            Bus.one(bus.session("sessions", "s"));
        });
        c.add("a transaction in a session", bus -> {
            put(bus, "s", "x");
            var r = bus.session("sessions", "s");
            var m = Bus.one(r);
            var txn = Bus.at(r).createTransaction();
            r.complete(m, new CompleteOptions().setTransactionContext(txn));
            Bus.same(bus.active("sessions"), 1);
            r.commitTransaction(txn);
            Bus.same(bus.active("sessions"), 0);
        });
    }
}
