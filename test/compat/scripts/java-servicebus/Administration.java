import com.azure.core.exception.ResourceExistsException;
import com.azure.core.exception.ResourceNotFoundException;
import com.azure.messaging.servicebus.administration.models.*;
import com.azure.messaging.servicebus.*;
import java.time.Duration;
import java.util.*;

/** The administration client, and rules over AMQP. */
final class Administration {
    private Administration() {}

    static void add(Cases c) {
        c.add("a queue is created, changed and deleted", bus -> {
            var a = bus.administration();
            Bus.at(a).createQueue("made", new CreateQueueOptions().setLockDuration(Duration.ofMinutes(1)).setMaxDeliveryCount(7).setSessionRequired(true)
                .setDefaultMessageTimeToLive(Duration.ofMinutes(5)).setDeadLetteringOnMessageExpiration(true).setUserMetadata("note"));
            var q = Bus.at(a).getQueue("made");
            Bus.same(List.of(q.getMaxDeliveryCount(), q.isSessionRequired(), q.getDefaultMessageTimeToLive(), q.getUserMetadata()), List.of(7, true, Duration.ofMinutes(5), "note"));
            Bus.at(a).updateQueue(q.setMaxDeliveryCount(9));
            Bus.same(Bus.at(a).getQueue("made").getMaxDeliveryCount(), 9);
            Bus.at(a).deleteQueue("made");
            Bus.holds(!Bus.at(a).getQueueExists("made"), "gone");
        });
        c.add("what is there, and what is not", bus -> {
            var a = bus.administration();
            Bus.holds(Bus.fails("", () -> Bus.at(a).createQueue("queue")) instanceof ResourceExistsException, "exists");
            Bus.holds(Bus.fails("", () -> Bus.at(a).getQueue("nowhere")) instanceof ResourceNotFoundException, "not found");
            Bus.same(List.of(Bus.at(a).getQueueExists("queue"), Bus.at(a).getTopicExists("topic"), Bus.at(a).getSubscriptionExists("topic", "all"), Bus.at(a).getTopicExists("nowhere")), List.of(true, true, true, false));
        });
        c.add("a topic and a subscription", bus -> {
            var a = bus.administration();
            Bus.at(a).createTopic("made");
            Bus.at(a).createSubscription("made", "sub", new CreateSubscriptionOptions().setMaxDeliveryCount(4));
            Bus.same(Bus.at(a).getSubscription("made", "sub").getMaxDeliveryCount(), 4);
            Bus.at(a).updateSubscription(Bus.at(a).getSubscription("made", "sub").setMaxDeliveryCount(5));
            Bus.same(Bus.at(a).getSubscription("made", "sub").getMaxDeliveryCount(), 5);
            Bus.at(a).deleteSubscription("made", "sub");
            Bus.at(a).deleteTopic("made");
        });
        c.add("every list is whole", bus -> {
            var a = bus.administration();
            for (int i = 0; i < 105; i++) Bus.at(a).createQueue("q" + i);
            Set<String> names = new HashSet<>();
            a.listQueues().forEach(q -> names.add(q.getName()));
            for (int i = 0; i < 105; i++) Bus.holds(names.contains("q" + i), "q" + i);
            Set<String> subscriptions = new HashSet<>();
            a.listSubscriptions("topic").forEach(s -> subscriptions.add(s.getSubscriptionName()));
            Bus.same(subscriptions.size(), 5);
        });
        c.add("rules of every kind", bus -> {
            var a = bus.administration();
            Bus.at(a).createRule("topic", "sql", "all", new CreateRuleOptions(new SqlRuleFilter("price > 5")).setAction(new SqlRuleAction("SET sys.Label = 'x'")));
            Bus.at(a).createRule("topic", "correlation", "all", new CreateRuleOptions(new CorrelationRuleFilter("7").setLabel("l")));
            Bus.at(a).createRule("topic", "none", "all", new CreateRuleOptions(new FalseRuleFilter()));
            Set<String> names = new TreeSet<>();
            a.listRules("topic", "all").forEach(r -> names.add(r.getName()));
            Bus.same(names, new TreeSet<>(Set.of("$Default", "sql", "correlation", "none")));
            Bus.same(((SqlRuleFilter) Bus.at(a).getRule("topic", "all", "sql").getFilter()).getSqlExpression(), "price > 5");
            Bus.at(a).deleteRule("topic", "all", "sql");
        });
        c.add("rules over AMQP", bus -> {
            var rules = bus.closes(bus.builder().ruleManager().topicName("topic").subscriptionName("all").buildClient());
            Bus.at(rules).createRule("added", new CreateRuleOptions(new SqlRuleFilter("a = 1")));
            Set<String> names = new TreeSet<>();
            rules.listRules().forEach(r -> names.add(r.getName()));
            Bus.same(names, new TreeSet<>(Set.of("$Default", "added")));
            Bus.at(rules).deleteRule("added");
        });
        c.add("runtime properties", bus -> {
            bus.send("queue", "a", "b");
            var q = bus.administration().getQueueRuntimeProperties("queue");
            Bus.same(List.of(q.getTotalMessageCount(), (long) q.getActiveMessageCount()), List.of(2L, 2L));
            Bus.same(bus.administration().getTopicRuntimeProperties("topic").getSubscriptionCount(), 5);
        });
        c.add("the namespace", bus -> Bus.same(bus.administration().getNamespaceProperties().getMessagingSku(), MessagingSku.STANDARD));
        c.add("a rule that can never work", bus ->
            Bus.fails("no system property", () -> bus.administration().createRule("topic", "odd", "all", new CreateRuleOptions(new SqlRuleFilter("sys.Nope = 1")))));
    }
}
