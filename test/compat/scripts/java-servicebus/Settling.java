import com.azure.messaging.servicebus.*;
import com.azure.messaging.servicebus.models.*;
import java.time.*;
import java.util.*;

/** Verdicts, locks, the dead-letter queue, transactions. */
final class Settling {
    private Settling() {}

    static void add(Cases c) {
        c.add("an empty queue gives nothing, in time", bus -> Bus.none(bus.receiver("queue")));
        c.add("what a delivery tells of itself", bus -> {
            bus.send("queue", "x");
            var m = Bus.one(bus.receiver("queue"));
            Bus.same(List.of(m.getSequenceNumber(), m.getDeliveryCount(), m.getState()), List.of(1L, 0L, ServiceBusMessageState.ACTIVE));
            Bus.holds(m.getLockedUntil().isAfter(OffsetDateTime.now()), "it is locked");
            Bus.same(m.getLockToken().length(), 36);
        });
        c.add("abandon", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            r.abandon(Bus.one(r));
            Bus.same(Bus.one(r).getDeliveryCount(), 1L);
        });
        c.add("abandon with properties", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            r.abandon(Bus.one(r), new AbandonOptions().setPropertiesToModify(Map.of("tried", "once")));
            Bus.same(Bus.one(r).getApplicationProperties().get("tried"), "once");
        });
        c.add("a message that is abandoned too often is dead-lettered", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            for (int i = 0; i < 3; i++) r.abandon(Bus.one(r));
            Bus.same(Bus.one(bus.dead("queue", SubQueue.DEAD_LETTER_QUEUE)).getDeadLetterReason(), "MaxDeliveryCountExceeded");
        });
        c.add("dead-letter with a reason", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            r.deadLetter(Bus.one(r), new DeadLetterOptions().setDeadLetterReason("r").setDeadLetterErrorDescription("d").setPropertiesToModify(Map.of("k", "v")));
            var d = bus.dead("queue", SubQueue.DEAD_LETTER_QUEUE);
            var m = Bus.one(d);
            Bus.same(List.of(m.getDeadLetterReason(), m.getDeadLetterErrorDescription(), m.getDeadLetterSource(), m.getApplicationProperties().get("k")), List.of("r", "d", "queue", "v"));
            Bus.at(d).complete(m);
            Bus.same(bus.dead("queue"), 0);
        });
        c.add("dead-letter without a reason", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            r.deadLetter(Bus.one(r));
            Bus.same(bus.dead("queue"), 1);
        });
        c.add("a dead letter is abandoned and comes again", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            r.deadLetter(Bus.one(r));
            var d = bus.dead("queue", SubQueue.DEAD_LETTER_QUEUE);
            d.abandon(Bus.one(d));
            d.complete(Bus.one(d));
        });
        c.add("defer, and receive by number", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            var m = Bus.one(r);
            Bus.at(r).defer(m);
            var again = Bus.at(r).receiveDeferredMessage(m.getSequenceNumber());
            Bus.same(again.getState(), ServiceBusMessageState.DEFERRED);
            Bus.at(r).complete(again);
            Bus.same(bus.counts("queue").get("Deferred").asInt(), 0);
        });
        c.add("several deferred messages, each with a verdict", bus -> {
            bus.send("queue", "a", "b", "c");
            var r = bus.receiver("queue");
            List<Long> numbers = new ArrayList<>();
            for (var m : Bus.receive(r, 3)) { numbers.add(m.getSequenceNumber()); Bus.at(r).defer(m); }
            List<ServiceBusReceivedMessage> got = new ArrayList<>();
            Bus.at(r).receiveDeferredMessageBatch(numbers).forEach(got::add);
            Bus.at(r).abandon(got.get(0));
            Bus.at(r).deadLetter(got.get(1));
            Bus.at(r).defer(got.get(2));
            Bus.same(List.of(bus.counts("queue").get("Deferred").asInt(), bus.dead("queue")), List.of(2, 1));
        });
        c.add("a deferred number that is not there", bus -> Bus.fails("", () -> bus.receiver("queue").receiveDeferredMessage(77)));
        c.add("a lock that has ended", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            var m = Bus.one(r);
            bus.advance(61);
            Bus.same(Bus.reason(() -> Bus.at(r).complete(m)), ServiceBusFailureReason.MESSAGE_LOCK_LOST);
            Bus.same(Bus.one(r).getDeliveryCount(), 1L);
        });
        c.add("a lock is renewed", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            var m = Bus.one(r);
            var before = m.getLockedUntil();
            bus.advance(30);
            Bus.holds(Bus.at(r).renewMessageLock(m).isAfter(before), "later");
            bus.advance(40);
            Bus.at(r).complete(m);
        });
        c.add("a lock is renewed by itself", bus -> {
            bus.send("quick", "x");
            var r = bus.receiver("quick");
            var m = Bus.one(r);
            Bus.at(r).renewMessageLock(m, Duration.ofSeconds(20), e -> {});
            Thread.sleep(6500);
            Bus.at(r).complete(m);
        });
        c.add("peek", bus -> {
            bus.send("queue", "a", "b", "c");
            var r = bus.receiver("queue");
            Bus.same(Bus.at(r).peekMessage().getBody().toString(), "a");
            Bus.same(Bus.bodies(Bus.at(r).peekMessages(5)), List.of("b", "c"));
            Bus.same(Bus.at(r).peekMessage(2).getBody().toString(), "b");
            Bus.same(Bus.at(r).peekMessage(99), null);
        });
        c.add("a message is settled by another receiver of its token", bus -> {
            bus.send("queue", "x");
            var first = bus.closes(bus.builder().receiver().queueName("queue").disableAutoComplete().buildClient());
            var m = Bus.one(first);
            bus.receiver("queue").complete(m);
            Bus.same(bus.active("queue"), 0);
        });
        c.add("an expired message is dead-lettered where that is wanted", bus -> {
            bus.sender("late").sendMessage(new ServiceBusMessage("x").setTimeToLive(Duration.ofSeconds(5)));
            bus.advance(6);
            Bus.same(Bus.one(bus.dead("late", SubQueue.DEAD_LETTER_QUEUE)).getDeadLetterReason(), "TTLExpiredException");
        });
        c.add("a transaction sends when it is committed", bus -> {
            var s = bus.sender("queue");
            var txn = Bus.at(s).createTransaction();
            s.sendMessage(new ServiceBusMessage("x"), txn);
            Bus.same(bus.active("queue"), 0);
            s.commitTransaction(txn);
            Bus.same(bus.active("queue"), 1);
        });
        c.add("a transaction schedules when it is committed", bus -> {
            var s = bus.sender("queue");
            var txn = Bus.at(s).createTransaction();
            s.scheduleMessage(new ServiceBusMessage("x"), OffsetDateTime.now().plusHours(1), txn);
            s.rollbackTransaction(txn);
            txn = Bus.at(s).createTransaction();
            s.scheduleMessage(new ServiceBusMessage("y"), OffsetDateTime.now().plusHours(1), txn);
            s.commitTransaction(txn);
            bus.advance(3601);
            Bus.same(Bus.bodies(Bus.receive(bus.receiver("queue"), 1)), List.of("y"));
            Bus.same(bus.active("queue"), 1);
        });
        c.add("a transaction that is rolled back sends nothing", bus -> {
            var s = bus.sender("queue");
            var txn = Bus.at(s).createTransaction();
            s.sendMessage(new ServiceBusMessage("x"), txn);
            s.rollbackTransaction(txn);
            Bus.same(bus.active("queue"), 0);
        });
        c.add("a transaction settles when it is committed", bus -> {
            bus.send("queue", "a", "b", "c", "d");
            var r = bus.receiver("queue");
            var got = Bus.receive(r, 4);
            var txn = Bus.at(r).createTransaction();
            r.complete(got.get(0), new CompleteOptions().setTransactionContext(txn));
            r.deadLetter(got.get(1), new DeadLetterOptions().setTransactionContext(txn));
            r.defer(got.get(2), new DeferOptions().setTransactionContext(txn));
            r.abandon(got.get(3), new AbandonOptions().setTransactionContext(txn));
            Bus.same(List.of(bus.active("queue"), bus.dead("queue")), List.of(4, 0));
            r.commitTransaction(txn);
            Bus.same(List.of(bus.active("queue"), bus.dead("queue"), bus.counts("queue").get("Deferred").asInt()), List.of(1, 1, 1));
        });
        c.add("a message whose transaction is rolled back is settled after that", bus -> {
            bus.send("queue", "x");
            var r = bus.receiver("queue");
            var m = Bus.one(r);
            var txn = Bus.at(r).createTransaction();
            r.complete(m, new CompleteOptions().setTransactionContext(txn));
            r.rollbackTransaction(txn);
            Bus.same(bus.active("queue"), 1);
            bus.advance(61);
            r.complete(Bus.one(r));
        });
        c.add("a transaction across entities", bus -> {
            bus.send("queue", "in");
            var b = bus.builder().enableCrossEntityTransactions();
            var r = bus.closes(b.receiver().queueName("queue").disableAutoComplete().buildClient());
            var s = bus.closes(b.sender().queueName("late").buildClient());
            var m = Bus.one(r);
            var txn = Bus.at(r).createTransaction();
            s.sendMessage(new ServiceBusMessage("out"), txn);
            r.complete(m, new CompleteOptions().setTransactionContext(txn));
            Bus.same(List.of(bus.active("queue"), bus.active("late")), List.of(1, 0));
            r.commitTransaction(txn);
            Bus.same(List.of(bus.active("queue"), bus.active("late")), List.of(0, 1));
        });
        c.add("a transaction takes a list", bus -> {
            var s = bus.sender("queue");
            var txn = Bus.at(s).createTransaction();
            s.sendMessages(List.of(new ServiceBusMessage("a"), new ServiceBusMessage("b")), txn);
            s.commitTransaction(txn);
            Bus.same(bus.active("queue"), 2);
        });
        c.add("a transaction that has taken too long", bus -> {
            var s = bus.sender("queue");
            var txn = Bus.at(s).createTransaction();
            s.sendMessage(new ServiceBusMessage("x"), txn);
            bus.advance(121);
            Bus.fails("", () -> s.commitTransaction(txn));
            Bus.same(bus.active("queue"), 0);
        });
    }
}
