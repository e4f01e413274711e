import com.azure.cosmos.CosmosClient;
import com.azure.cosmos.CosmosClientBuilder;
import com.azure.cosmos.CosmosContainer;
import com.azure.cosmos.CosmosDatabase;
import com.azure.cosmos.CosmosException;
import com.azure.cosmos.models.CosmosContainerProperties;
import com.azure.cosmos.models.PartitionKey;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import reactor.core.Exceptions;

/**
 * Runs cases against the Cosmos DB that COSMOS_ENDPOINT names, each on a container of its own. A case says how it ended in a
 * line of JSON; sdks_test.go reads that.
 */
public final class Cases {
    static final ObjectMapper JSON = new ObjectMapper();
    static final String KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";

    interface Play {
        void play(CosmosContainer c, CosmosDatabase db, CosmosClient client) throws Exception;
    }

    record Case(String name, Consumer<CosmosContainerProperties> definition, Play play, String... paths) {}

    static final List<Case> list = new ArrayList<>();

    static void add(String name, Play play) {
        list.add(new Case(name, p -> {}, play, "/pk"));
    }

    static void add(String name, Consumer<CosmosContainerProperties> definition, Play play) {
        list.add(new Case(name, definition, play, "/pk"));
    }

    static void same(Object got, Object want) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError(got + " is not " + want);
        }
    }

    interface Call {
        void call() throws Exception;
    }

    /** Calls what must be refused with a status. */
    static CosmosException refused(int status, Call call) throws Exception {
        try {
            call.call();
        } catch (RuntimeException all) { // several ranges may refuse at once
            Throwable first = Exceptions.unwrapMultiple(all).get(0);
            if (first instanceof CosmosException e) {
                same(e.getStatusCode(), status);
                return e;
            }
            throw all;
        }
        throw new AssertionError("nothing was refused");
    }

    /** A document from JSON with single quotes. */
    static ObjectNode doc(String text) {
        try {
            return (ObjectNode) JSON.readTree(text.replace('\'', '"'));
        } catch (Exception e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** A document without what the server adds. */
    static ObjectNode bare(JsonNode d) {
        ObjectNode copy = d.deepCopy();
        copy.remove(List.of("_rid", "_self", "_etag", "_ts", "_attachments", "_lsn"));
        return copy;
    }

    static PartitionKey key(String value) {
        return new PartitionKey(value);
    }

    static void put(CosmosContainer c, String... texts) {
        for (String text : texts) {
            c.upsertItem(doc(text));
        }
    }

    public static void main(String[] args) throws Exception {
        CosmosClient client = new CosmosClientBuilder().endpoint(System.getenv("COSMOS_ENDPOINT")).key(KEY).gatewayMode().contentResponseOnWriteEnabled(true).buildClient();
        client.createDatabase("cases");
        CosmosDatabase db = client.getDatabase("cases");
        Items.cases();
        More.cases();
        Queries.cases();
        Later.cases();
        int n = 0;
        for (Case one : list) {
            ObjectNode line = JSON.createObjectNode().put("name", one.name()).put("error", "");
            try {
                CosmosContainerProperties p = new CosmosContainerProperties("c" + n++, one.paths()[0]);
                one.definition().accept(p);
                db.createContainer(p);
                one.play().play(db.getContainer(p.getId()), db, client);
            } catch (Throwable e) { // whatever a case ends with is its outcome
                StringWriter trace = new StringWriter();
                e.printStackTrace(new PrintWriter(trace));
                line.put("error", trace.toString());
            }
            System.out.println(line);
        }
        System.out.println(JSON.createObjectNode().put("end", list.size()));
        System.exit(0); // whatever the client still has open
    }
}
