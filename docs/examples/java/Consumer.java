// Reads lifecycle events from Heliograph's topics and prints each once. Run it with Java 17 or later and Maven, which brings the ordinary client:
//   BROKERS=localhost:9092 TOPICS=heliograph.live.message mvn -q compile exec:java
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;

public class Consumer {
  /**
   * Delivery is at least once: the same event may come again, under the same ce_id. What must survive a restart belongs into the transaction that stores the event's
   * effect, as a unique key; memory is enough where an effect may be repeated then.
   */
  private static final Map<String, Boolean> seen =
      new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
          return size() > 100_000;
        }
      };

  public static void main(String[] args) throws InterruptedException {
    Properties settings = new Properties();
    settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, setting("BROKERS", "localhost:9092"));
    settings.put(ConsumerConfig.GROUP_ID_CONFIG, setting("GROUP", "example"));
    settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
    // Offsets are committed for what was handled, never for what was merely fetched.
    settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
    String username = System.getenv("KAFKA_USERNAME");
    if (username != null && !username.isEmpty()) {
      settings.put("security.protocol", "SASL_SSL");
      settings.put("sasl.mechanism", "SCRAM-SHA-512");
      settings.put(
          "sasl.jaas.config",
          "org.apache.kafka.common.security.scram.ScramLoginModule required username=\""
              + username
              + "\" password=\""
              + setting("KAFKA_PASSWORD", "")
              + "\";");
    }

    KafkaConsumer<String, String> consumer =
        new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    Thread main = Thread.currentThread();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  consumer.wakeup();
                  try {
                    main.join();
                  } catch (InterruptedException ignored) {
                    // The process is ending anyway.
                  }
                }));
    try {
      List<String> topics = List.of(setting("TOPICS", "heliograph.live.message").split(","));
      List<String> missing = new ArrayList<>(topics);
      missing.removeAll(consumer.listTopics().keySet());
      if (!missing.isEmpty()) {
        System.err.println(
            "There is no topic " + String.join(", ", missing) + ", or this user may not see it.");
        // Not exit(): the hook that waits for this thread would wait for ever.
        Runtime.getRuntime().halt(1);
      }
      consumer.subscribe(topics);
      while (true) {
        for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1)))
          if (seen.put(attribute(record, "id"), true) == null) handle(record);
        consumer.commitSync();
      }
    } catch (WakeupException stopped) {
      // Asked to stop.
    } finally {
      // Leaving the group hands its partitions to the others at once.
      consumer.close();
    }
  }

  /** What you do with an event; its data is the record's value, JSON text. An exception here leaves the offsets where they were. */
  private static void handle(ConsumerRecord<String, String> record) {
    System.out.println(
        String.join(
            " ",
            attribute(record, "type"),
            attribute(record, "subject"),
            attribute(record, "sequence"),
            record.value()));
  }

  /** An attribute of the CloudEvent: a header. */
  private static String attribute(ConsumerRecord<String, String> record, String name) {
    return new String(
        record.headers().lastHeader("ce_" + name).value(), StandardCharsets.UTF_8);
  }

  private static String setting(String name, String otherwise) {
    String value = System.getenv(name);
    return value == null || value.isEmpty() ? otherwise : value;
  }
}
