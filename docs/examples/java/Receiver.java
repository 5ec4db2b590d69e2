import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Receives webhooks, verifies them by Standard Webhooks 1.0 and prints each event once. Java 17 or later, no packages:
 * SECRET=whsec_… PORT=3000 java Receiver.java
 */
class Receiver {
  /** Older or newer than this is refused, so that a recorded request cannot be sent again later. */
  private static final long TOLERANCE_SECONDS = 300;
  private static final int MAX_BODY_BYTES = 1024 * 1024;
  private static final int MOST_REMEMBERED = 100_000;

  private final byte[] key;
  /**
   * Delivery is at least once. What must survive a restart belongs into the transaction that stores the event's effect, as a unique
   * key; memory is enough where an effect may be repeated then.
   */
  private final Set<String> seen = new LinkedHashSet<>();

  Receiver(byte[] key) {
    this.key = key;
  }

  boolean isGenuine(String id, String timestamp, String given, byte[] body) throws GeneralSecurityException {
    if (id == null || given == null || timestamp == null || !timestamp.matches("[0-9]{1,12}")) return false;
    long now = System.currentTimeMillis() / 1000;
    if (Math.abs(now - Long.parseLong(timestamp)) > TOLERANCE_SECONDS) return false;
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
    String expected = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body));
    // While a secret is rotated there is a signature for each.
    for (String part : given.split(" "))
      if (MessageDigest.isEqual(part.getBytes(StandardCharsets.UTF_8), expected.getBytes(StandardCharsets.UTF_8))) return true;
    return false;
  }

  synchronized void handleOnce(String json) {
    Matcher event = EVENT.matcher(json);
    if (!event.matches()) throw new IllegalArgumentException("no event");
    String id = event.group(1);
    if (seen.contains(id)) return;
    handle(event);
    // Only now: what failed is asked for again with a 500, and must not be taken for a repetition then.
    seen.add(id);
    if (seen.size() > MOST_REMEMBERED) seen.remove(seen.iterator().next());
  }

  private static final Pattern EVENT =
      Pattern.compile("\\{\"id\":\"([^\"]+)\".*?\"type\":\"([^\"]+)\".*?\"sequence\":(\\d+).*?\"data\":(\\{.*\\})\\}", Pattern.DOTALL);

  private static final String BATCH = "{\"events\":[";

  /**
   * Several of an endpoint that takes batches: each by its own id, which is the webhook-id of one that comes alone. Java has no JSON
   * of its own: parse it with yours, such as Jackson.
   */
  static List<String> eventsIn(String body) {
    if (!body.startsWith(BATCH)) return List.of(body);
    List<String> events = new ArrayList<>();
    boolean inText = false;
    int depth = 0;
    int start = 0;
    for (int at = BATCH.length(); at < body.length(); at++) {
      char c = body.charAt(at);
      if (inText && c == '\\') at++;
      else if (c == '"') inText = !inText;
      else if (!inText && c == '{' && depth++ == 0) start = at;
      else if (!inText && c == '}' && --depth == 0) events.add(body.substring(start, at + 1));
    }
    return events;
  }

  /** What you do with an event. Store it here and work on it later: an answer that takes over 15 s counts as failed. */
  static void handle(MatchResult event) {
    System.out.println(event.group(2) + " " + event.group(3) + " " + event.group(4));
  }

  private int receive(HttpExchange exchange) throws IOException, GeneralSecurityException {
    // The bytes as they came: a JSON parser before the check would change them.
    byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY_BYTES + 1);
    if (body.length > MAX_BODY_BYTES) return 413;
    var headers = exchange.getRequestHeaders();
    String id = headers.getFirst("webhook-id");
    String signature = headers.getFirst("webhook-signature");
    if (!exchange.getRequestMethod().equals("POST")) return 401;
    if (!isGenuine(id, headers.getFirst("webhook-timestamp"), signature, body)) return 401;
    try {
      for (String event : eventsIn(new String(body, StandardCharsets.UTF_8))) handleOnce(event);
      return 204;
    } catch (RuntimeException error) {
      System.err.println(error);
      return 500;
    }
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      exchange.sendResponseHeaders(receive(exchange), -1);
    } catch (GeneralSecurityException error) {
      throw new IOException(error);
    }
  }

  public static void main(String[] arguments) throws IOException {
    String secret = System.getenv().getOrDefault("SECRET", "");
    if (!secret.startsWith("whsec_")) throw new IllegalArgumentException("SECRET must be the endpoint's, whsec_…");
    var receiver = new Receiver(Base64.getDecoder().decode(secret.substring("whsec_".length())));
    System.setOut(new java.io.PrintStream(System.out, true, StandardCharsets.UTF_8));
    int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "3000"));
    HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
    server.createContext("/", receiver::answer);
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.start();
    System.out.println("ready on port " + server.getAddress().getPort());
  }
}
