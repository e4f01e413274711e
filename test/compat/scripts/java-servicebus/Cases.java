import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.*;
import java.util.concurrent.*;

/** Microsoft's azure-messaging-servicebus for Java against minibus: every case on a broker of its own. */
public final class Cases {
    interface Play { void run(Bus bus) throws Exception; }

    private final Map<String, Play> all = new LinkedHashMap<>();

    void add(String name, Play play) { all.put(name, play); }

    public static void main(String[] args) throws Exception {
        Cases c = new Cases();
        switch (args[0]) {
            case "messages" -> Messages.add(c);
            case "settling" -> Settling.add(c);
            case "sessions" -> Sessions.add(c);
            case "administration" -> Administration.add(c);
            default -> throw new IllegalArgumentException(args[0]);
        }
        c.run();
    }

    private void run() throws Exception {
        String wanted = Objects.requireNonNullElse(System.getenv("PLAY"), "");
        all.keySet().removeIf(name -> !name.contains(wanted));
        ExecutorService threads = Executors.newCachedThreadPool();
        for (var one : all.entrySet()) {
            Bus bus = new Bus(Bus.ask(Map.of("begin", one.getKey())));
            Map<String, String> done = new HashMap<>(Map.of("done", one.getKey()));
            int limit = Bus.harmed ? 120 : 40;
            Future<?> playing = threads.submit(() -> {
                one.getValue().run(bus);
                return null;
            });
            try {
                playing.get(limit, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                done.put("error", text(e.getCause()));
            } catch (TimeoutException e) {
                done.put("error", "the case takes more than " + limit + " s");
            }
            try {
                bus.close();
            } catch (Exception e) {
                done.merge("error", text(e), (a, b) -> a + "\n" + b);
            }
            System.out.println(Bus.JSON.writeValueAsString(done));
        }
        System.out.println(Bus.JSON.writeValueAsString(Map.of("end", all.size())));
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static String text(Throwable e) {
        StringWriter w = new StringWriter();
        e.printStackTrace(new PrintWriter(w));
        return w.toString();
    }
}
