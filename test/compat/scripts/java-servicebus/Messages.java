import static com.azure.messaging.servicebus.models.ServiceBusReceiveMode.RECEIVE_AND_DELETE;

import com.azure.core.amqp.models.*;
import com.azure.core.util.BinaryData;
import com.azure.messaging.servicebus.*;
import com.azure.messaging.servicebus.models.*;
import java.time.*;
import java.util.*;
import java.util.concurrent.*;

/** Sending, topics, schedules, processors. */
final class Messages {
    private Messages() {}

    static void add(Cases c) {
        c.add("a message arrives and is completed", bus -> {
            bus.send("queue", "hello");
            var r = bus.receiver("queue");
            var m = Bus.one(r);
            Bus.same(m.getBody().toString(), "hello");
            Bus.at(r).complete(m);
            Bus.same(bus.active("queue"), 0);
        });
        c.add("a list arrives in order", bus -> {
            List<ServiceBusMessage> list = new ArrayList<>();
            List<String> want = new ArrayList<>();
            for (int i = 0; i < 50; i++) { list.add(new ServiceBusMessage("" + i)); want.add("" + i); }
            bus.sender("queue").sendMessages(list);
            Bus.same(Bus.bodies(Bus.receive(bus.receiver("queue"), 50)), want);
        });
        c.add("a batch is filled, and knows the broker's limit", bus -> {
            var s = bus.sender("queue");
            var batch = Bus.at(s).createMessageBatch();
            Bus.same(batch.getMaxSizeInBytes(), 262144);
            for (int i = 0; i < 3; i++) Bus.holds(batch.tryAddMessage(new ServiceBusMessage("x".repeat(80_000))), "fits");
            Bus.holds(!batch.tryAddMessage(new ServiceBusMessage("x".repeat(80_000))), "does not fit");
            Bus.at(s).sendMessages(batch);
            Bus.same(bus.active("queue"), 3);
        });
        c.add("a smaller batch", bus -> {
            var batch = bus.sender("queue").createMessageBatch(new CreateMessageBatchOptions().setMaximumSizeInBytes(1000));
            Bus.holds(batch.tryAddMessage(new ServiceBusMessage("x".repeat(300))), "fits");
            Bus.holds(!batch.tryAddMessage(new ServiceBusMessage("x".repeat(800))), "does not fit");
        });
        c.add("a message of many frames", bus -> {
            bus.send("queue", "y".repeat(200_000));
            Bus.same(Bus.one(bus.receiver("queue")).getBody().getLength(), 200_000L);
        });
        c.add("a message that is too large is told", bus ->
            Bus.same(Bus.reason(() -> bus.sender("queue").sendMessage(new ServiceBusMessage("x".repeat(300_000)))), ServiceBusFailureReason.MESSAGE_SIZE_EXCEEDED));
        c.add("every property arrives", bus -> {
            bus.sender("queue").sendMessage(new ServiceBusMessage("x").setMessageId("id").setSubject("subject").setCorrelationId("correlation").setContentType("text/plain")
                .setTo("to").setReplyTo("reply").setReplyToSessionId("replies").setSessionId("s").setPartitionKey("s").setTimeToLive(Duration.ofMinutes(5)));
            var m = Bus.one(bus.receiver("queue"));
            Bus.same(List.of(m.getMessageId(), m.getSubject(), m.getCorrelationId(), m.getContentType(), m.getTo(), m.getReplyTo(), m.getReplyToSessionId(), m.getSessionId(), m.getPartitionKey()),
                List.of("id", "subject", "correlation", "text/plain", "to", "reply", "replies", "s", "s"));
            Bus.same(m.getTimeToLive(), Duration.ofMinutes(5));
            Bus.same(m.getExpiresAt(), m.getEnqueuedTime().plus(m.getTimeToLive()));
        });
        c.add("application properties of every type", bus -> {
            Map<String, Object> sent = new HashMap<>(Map.of("text", "grüße", "int", 5, "long", 1L << 40, "short", (short) 3, "byte", (byte) 1, "double", 1.5, "float", 2.5f, "flag", true,
                "uuid", UUID.fromString("12345678-1234-5678-1234-567812345678"), "char", 'c'));
            var m = new ServiceBusMessage("x");
            m.getApplicationProperties().putAll(sent);
            m.getApplicationProperties().put("at", Date.from(Instant.ofEpochSecond(100)));
            bus.sender("queue").sendMessage(m);
            var got = Bus.one(bus.receiver("queue")).getApplicationProperties();
            sent.forEach((name, want) -> Bus.same(got.get(name), want));
            Bus.holds(got.get("at") != null, "the time is there");
        });
        c.add("times and durations as application properties", bus -> {
            var m = new ServiceBusMessage("x");
            var at = OffsetDateTime.of(2026, 1, 2, 3, 4, 5, 0, ZoneOffset.UTC);
            m.getApplicationProperties().put("at", at);
            m.getApplicationProperties().put("span", Duration.ofMinutes(90));
            bus.sender("queue").sendMessage(m);
            var got = Bus.one(bus.receiver("queue")).getApplicationProperties();
            Bus.same(((OffsetDateTime) got.get("at")).toInstant(), at.toInstant());
            Bus.same(got.get("span"), Duration.ofMinutes(90));
        });
        c.add("bytes arrive as they were", bus -> {
            byte[] all = new byte[256];
            for (int i = 0; i < 256; i++) all[i] = (byte) i;
            bus.sender("queue").sendMessage(new ServiceBusMessage(all));
            Bus.holds(Arrays.equals(Bus.one(bus.receiver("queue")).getBody().toBytes(), all), "the same bytes");
        });
        c.add("an empty body", bus -> {
            bus.sender("queue").sendMessage(new ServiceBusMessage(new byte[0]));
            Bus.same(Bus.one(bus.receiver("queue")).getBody().getLength(), 0L);
        });
        c.add("a value body", bus -> {
            bus.sender("queue").sendMessage(new ServiceBusMessage(AmqpMessageBody.fromValue("value")));
            var raw = Bus.one(bus.receiver("queue")).getRawAmqpMessage().getBody();
            Bus.same(raw.getBodyType(), AmqpMessageBodyType.VALUE);
            Bus.same(raw.getValue(), "value");
        });
        c.add("a sequence body", bus -> {
            bus.sender("queue").sendMessage(new ServiceBusMessage(AmqpMessageBody.fromSequence(List.of("a", 1L))));
            Bus.same(Bus.one(bus.receiver("queue")).getRawAmqpMessage().getBody().getSequence(), List.of("a", 1L));
        });
        c.add("a header", bus -> {
            var m = new ServiceBusMessage("x");
            m.getRawAmqpMessage().getHeader().setPriority((short) 7).setDurable(true);
            bus.sender("queue").sendMessage(m);
            var header = Bus.one(bus.receiver("queue")).getRawAmqpMessage().getHeader();
            Bus.same(List.of(header.getPriority(), header.isDurable()), List.of((short) 7, true));
        });
        c.add("a message without an id gets one", bus -> {
            bus.send("queue", "x");
            Bus.holds(!Bus.one(bus.receiver("queue")).getMessageId().isEmpty(), "an id");
        });
        c.add("what is received is sent again", bus -> {
            bus.sender("queue").sendMessage(new ServiceBusMessage("x").setSubject("kept"));
            bus.sender("once").sendMessage(new ServiceBusMessage(Bus.one(bus.receiver("queue"))));
            Bus.same(Bus.one(bus.receiver("once")).getSubject(), "kept");
        });
        c.add("a copy is dropped", bus -> {
            for (String body : List.of("first", "second")) bus.sender("once").sendMessage(new ServiceBusMessage(body).setMessageId("same"));
            Bus.same(bus.active("once"), 1);
        });
        c.add("a queue with sessions refuses a message without one", bus -> {
            Bus.fails("SessionId was not set", () -> bus.sender("sessions").sendMessage(new ServiceBusMessage("x")));
            Bus.same(bus.active("sessions"), 0);
        });
        c.add("a queue that does not exist", bus ->
            Bus.same(Bus.reason(() -> bus.sender("nowhere").sendMessage(new ServiceBusMessage("x"))), ServiceBusFailureReason.MESSAGING_ENTITY_NOT_FOUND));
        c.add("a wrong key", bus -> {
            var s = bus.closes(bus.builder(bus.connection.replace("SAS_KEY_VALUE", "wrong")).sender().queueName("queue").buildClient());
            Bus.same(Bus.reason(() -> Bus.at(s).sendMessage(new ServiceBusMessage("x"))), ServiceBusFailureReason.UNAUTHORIZED);
        });
        c.add("a sender that may only listen", bus -> {
            String listener = bus.connection.replace("RootManageSharedAccessKey", "listener").replace("SAS_KEY_VALUE", "listens");
            var s = bus.closes(bus.builder(listener).sender().queueName("queue").buildClient());
            Bus.same(Bus.reason(() -> Bus.at(s).sendMessage(new ServiceBusMessage("x"))), ServiceBusFailureReason.UNAUTHORIZED);
        });
        c.add("a schedule comes when it is due", bus -> {
            bus.sender("queue").scheduleMessage(new ServiceBusMessage("x"), OffsetDateTime.now().plusHours(1));
            Bus.same(bus.counts("queue").get("Scheduled").asInt(), 1);
            bus.advance(3601);
            Bus.same(Bus.bodies(Bus.receive(bus.receiver("queue"), 1)), List.of("x"));
        });
        c.add("schedules are made together, and cancelled", bus -> {
            var s = bus.sender("queue");
            List<Long> numbers = new ArrayList<>();
            Bus.at(s).scheduleMessages(List.of(new ServiceBusMessage("a"), new ServiceBusMessage("b")), OffsetDateTime.now().plusHours(1)).forEach(numbers::add);
            Bus.at(s).cancelScheduledMessage(numbers.get(0));
            Bus.at(s).cancelScheduledMessages(List.of(numbers.get(1)));
            Bus.same(bus.counts("queue").get("Scheduled").asInt(), 0);
        });
        c.add("a message with a time is scheduled", bus -> {
            bus.sender("queue").sendMessage(new ServiceBusMessage("x").setScheduledEnqueueTime(OffsetDateTime.now().plusHours(1)));
            Bus.same(bus.counts("queue").get("Scheduled").asInt(), 1);
        });
        c.add("a schedule longer than its message's life", bus -> {
            bus.sender("queue").scheduleMessage(new ServiceBusMessage("x").setTimeToLive(Duration.ofMinutes(1)), OffsetDateTime.now().plusHours(1));
            bus.advance(3610);
            Bus.one(bus.receiver("queue"));
        });
        c.add("a message expires", bus -> {
            bus.sender("queue").sendMessage(new ServiceBusMessage("x").setTimeToLive(Duration.ofSeconds(30)));
            bus.advance(31);
            Bus.none(bus.receiver("queue"));
        });
        c.add("each subscription has a copy", bus -> {
            bus.sender("topic").sendMessage(new ServiceBusMessage("x").setSessionId("s"));
            Bus.one(bus.subscription("all"));
            Bus.same(bus.active("topic/Subscriptions/sessions"), 1);
        });
        c.add("SQL chooses", bus -> {
            for (int price : new int[] {50, 150}) {
                var m = new ServiceBusMessage("" + price).setSubject("order");
                m.getApplicationProperties().put("price", price);
                bus.sender("topic").sendMessage(m);
            }
            Bus.same(Bus.bodies(Bus.receive(bus.subscription("sql"), 1)), List.of("150"));
            Bus.same(bus.active("topic/Subscriptions/sql"), 1);
        });
        c.add("a correlation filter chooses", bus -> {
            for (String colour : List.of("red", "blue")) {
                var m = new ServiceBusMessage(colour).setSubject("order").setCorrelationId("7");
                m.getApplicationProperties().put("colour", colour);
                bus.sender("topic").sendMessage(m);
            }
            Bus.same(Bus.bodies(Bus.receive(bus.subscription("correlation"), 1)), List.of("blue"));
        });
        c.add("an action changes its copy", bus -> {
            var m = new ServiceBusMessage("x").setSubject("order");
            m.getApplicationProperties().put("price", 21L);
            bus.sender("topic").sendMessage(m);
            var got = Bus.one(bus.subscription("action"));
            Bus.same(got.getSubject(), "marked");
            Bus.same(got.getApplicationProperties().get("tax"), 42L);
        });
        c.add("a processor gets every message once", bus -> {
            bus.send("queue", "a", "b", "c");
            Set<String> got = ConcurrentHashMap.newKeySet();
            var p = bus.closes(bus.builder().processor().queueName("queue").maxConcurrentCalls(2)
                .processMessage(x -> got.add(x.getMessage().getBody().toString())).processError(x -> {}).buildProcessorClient());
            Bus.at(p).start();
            Bus.until(() -> got.equals(Set.of("a", "b", "c")));
            Bus.until(() -> { try { return bus.active("queue") == 0; } catch (Exception e) { return false; } });
        });
        c.add("a processor whose handler fails gets the message again", bus -> {
            bus.send("queue", "x");
            List<Long> counts = new CopyOnWriteArrayList<>();
            var p = bus.closes(bus.builder().processor().queueName("queue").processMessage(x -> {
                counts.add(x.getMessage().getDeliveryCount());
                if (counts.size() == 1) throw new IllegalStateException("once");
            }).processError(x -> {}).buildProcessorClient());
            Bus.at(p).start();
            Bus.until(() -> counts.equals(List.of(0L, 1L)));
        });
        c.add("receive and delete", bus -> {
            bus.send("queue", "x");
            Bus.one(bus.closes(bus.builder().receiver().queueName("queue").receiveMode(RECEIVE_AND_DELETE).buildClient()));
            Bus.same(bus.active("queue"), 0);
        });
        c.add("prefetch", bus -> {
            bus.send("queue", "a", "b", "c");
            var r = bus.closes(bus.builder().receiver().queueName("queue").prefetchCount(10).disableAutoComplete().buildClient());
            for (var m : Bus.receive(r, 3)) Bus.at(r).complete(m);
            Bus.same(bus.active("queue"), 0);
        });
        c.add("ten entities on one connection", bus -> {
            var b = bus.builder();
            for (int i = 0; i < 10; i++) bus.closes(b.sender().queueName("queue").buildClient()).sendMessage(new ServiceBusMessage("" + i));
            Bus.same(bus.active("queue"), 10);
        });
        c.add("data of several kinds in one list", bus -> {
            bus.sender("queue").sendMessages(List.of(new ServiceBusMessage(BinaryData.fromString("text")), new ServiceBusMessage(new byte[] {1})));
            Bus.same(bus.active("queue"), 2);
        });
    }
}
