import com.azure.core.amqp.AmqpRetryOptions;
import com.azure.core.amqp.AmqpTransportType;
import com.azure.core.http.HttpClient;
import com.azure.core.http.HttpPipelineCallContext;
import com.azure.core.http.HttpPipelineNextPolicy;
import com.azure.core.http.HttpResponse;
import com.azure.core.http.policy.HttpPipelinePolicy;
import com.azure.messaging.servicebus.*;
import com.azure.messaging.servicebus.administration.ServiceBusAdministrationClient;
import com.azure.messaging.servicebus.administration.ServiceBusAdministrationClientBuilder;
import com.azure.messaging.servicebus.models.*;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.MalformedURLException;
import java.net.URL;
import java.time.Duration;
import java.util.*;
import java.util.function.BooleanSupplier;
import reactor.core.publisher.Mono;

/** The broker of a case, in the conversation that script_test.go describes, and what is to be closed with it. */
final class Bus {
    private static final BufferedReader IN = new BufferedReader(new InputStreamReader(System.in));
    static final ObjectMapper JSON = new ObjectMapper();
    static volatile boolean harmed; // the broker is, between steps, which clients are to get over

    final String connection;
    final String admin;
    private final Deque<AutoCloseable> closers = new ArrayDeque<>();

    Bus(JsonNode given) {
        connection = given.get("connectionString").asText();
        admin = given.get("admin").asText();
        harmed = given.path("harmed").asBoolean();
    }

    static synchronized JsonNode ask(Map<String, ?> question) throws IOException {
        System.out.println(JSON.writeValueAsString(question));
        System.out.flush();
        String line = IN.readLine();
        if (line == null) System.exit(1); // the test does not answer
        return JSON.readTree(line);
    }

    /** A step: the test may harm the broker before what a client does next. The client's threads hear of that first. */
    static void step() {
        try {
            if (harmed && ask(Map.of("step", true)).path("struck").asBoolean()) Thread.sleep(300);
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A client whose next call is a step. */
    static <T> T at(T client) {
        step();
        return client;
    }

    void advance(int seconds) throws IOException { ask(Map.of("advance", seconds * 1000)); }

    JsonNode counts(String entity) throws IOException { return ask(Map.of("counts", entity)).get("counts"); }

    int active(String entity) throws IOException { return counts(entity).get("Active").asInt(); }

    int dead(String entity) throws IOException { return counts(entity).get("DeadLetter").asInt(); }

    <T extends AutoCloseable> T closes(T it) {
        closers.push(it);
        return it;
    }

    ServiceBusClientBuilder builder() { return builder(connection); }

    ServiceBusClientBuilder builder(String connection) {
        return new ServiceBusClientBuilder().connectionString(connection)
            .retryOptions(new AmqpRetryOptions().setMaxRetries(harmed ? 3 : 0).setDelay(Duration.ofMillis(50)).setTryTimeout(Duration.ofSeconds(30)));
    }

    ServiceBusSenderClient sender(String entity) {
        var b = builder().sender();
        return at(closes((entity.equals("topic") ? b.topicName(entity) : b.queueName(entity)).buildClient()));
    }

    ServiceBusReceiverClient receiver(String queue) { return closes(builder().receiver().queueName(queue).disableAutoComplete().buildClient()); }

    ServiceBusReceiverClient dead(String queue, SubQueue sub) {
        return closes(builder().receiver().queueName(queue).subQueue(sub).disableAutoComplete().buildClient());
    }

    ServiceBusReceiverClient subscription(String name) {
        return closes(builder().receiver().topicName("topic").subscriptionName(name).disableAutoComplete().buildClient());
    }

    ServiceBusReceiverClient session(String queue, String id) {
        return closes(at(closes(builder().sessionReceiver().queueName(queue).disableAutoComplete().buildClient())).acceptSession(id));
    }

    /** The client says https to the host alone: a policy sends it to where the administration is. */
    ServiceBusAdministrationClient administration() {
        String[] at = admin.split(":");
        HttpPipelinePolicy here = new HttpPipelinePolicy() {
            @Override
            public Mono<HttpResponse> process(HttpPipelineCallContext context, HttpPipelineNextPolicy next) {
                try {
                    URL url = context.getHttpRequest().getUrl();
                    context.getHttpRequest().setUrl(new URL("http", at[0], Integer.parseInt(at[1]), url.getFile()));
                } catch (MalformedURLException e) {
                    return Mono.error(e);
                }
                return next.process();
            }
        };
        return new ServiceBusAdministrationClientBuilder().connectionString(connection).addPolicy(here).buildClient();
    }

    void send(String entity, String... bodies) {
        for (String body : bodies) sender(entity).sendMessage(new ServiceBusMessage(body));
    }

    void close() throws Exception {
        while (!closers.isEmpty()) closers.pop().close();
    }

    /** Where the broker is harmed it waits longer: this client takes five seconds until it attaches again. */
    static List<ServiceBusReceivedMessage> receive(ServiceBusReceiverClient from, int n) {
        List<ServiceBusReceivedMessage> got = new ArrayList<>();
        while (got.size() < n) {
            int before = got.size();
            at(from).receiveMessages(n - before, Duration.ofSeconds(harmed ? 20 : 5)).forEach(got::add);
            if (got.size() == before) throw new AssertionError("got " + got.size() + " of " + n + " messages");
        }
        step(); // before what is done with them
        return got;
    }

    static ServiceBusReceivedMessage one(ServiceBusReceiverClient from) { return receive(from, 1).get(0); }

    static List<String> bodies(Iterable<ServiceBusReceivedMessage> messages) {
        List<String> list = new ArrayList<>();
        messages.forEach(m -> list.add(m.getBody().toString()));
        return list;
    }

    static void none(ServiceBusReceiverClient from) { same(bodies(at(from).receiveMessages(1, Duration.ofSeconds(1))), List.of()); }

    static void same(Object got, Object want) {
        if (!Objects.equals(got, want)) throw new AssertionError("got " + got + ", want " + want);
    }

    static void holds(boolean what, String text) {
        if (!what) throw new AssertionError(text);
    }

    interface Doing { void run() throws Exception; }

    static Throwable fails(String text, Doing what) {
        try {
            what.run();
        } catch (Throwable e) {
            if (!String.valueOf(e).contains(text) && !String.valueOf(e.getCause()).contains(text)) throw new AssertionError("'" + text + "' is not in " + e, e);
            return e;
        }
        throw new AssertionError("no error");
    }

    static ServiceBusFailureReason reason(Doing what) { return ((ServiceBusException) fails("", what)).getReason(); }

    static void until(BooleanSupplier condition) throws InterruptedException {
        for (long end = System.nanoTime() + 10_000_000_000L; !condition.getAsBoolean(); Thread.sleep(10))
            holds(System.nanoTime() < end, "the condition does not come true");
    }
}
