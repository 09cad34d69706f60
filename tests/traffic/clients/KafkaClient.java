import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Kafka's own client, in the ways services use it. */
public class KafkaClient {
    static final String TOPIC = "run-1.transfers";

    static Properties properties(String servers, Map<String, String> more) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", servers);
        for (String what : List.of("key", "value")) {
            properties.put(what + ".serializer", "org.apache.kafka.common.serialization.StringSerializer");
            properties.put(what + ".deserializer", "org.apache.kafka.common.serialization.StringDeserializer");
        }
        properties.putAll(more);
        return properties;
    }

    public static void main(String[] args) throws Exception {
        String servers = args[0];
        try (var producer = new KafkaProducer<String, String>(properties(servers, Map.of("client.id", "plain")))) {
            for (int n = 0; n < 3; n++) {
                producer.send(new ProducerRecord<>(TOPIC, "key", "value " + n)).get();
            }
        }
        var careless = Map.of("client.id", "careless", "acks", "0", "enable.idempotence", "false");
        try (var producer = new KafkaProducer<String, String>(properties(servers, careless))) {
            producer.send(new ProducerRecord<>(TOPIC, "key", "nobody answers")).get();
        }
        var group = Map.of("client.id", "reader", "group.id", "workers", "auto.offset.reset", "earliest",
                "enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<String, String>(properties(servers, group))) {
            consumer.subscribe(List.of(TOPIC));
            int seen = 0;
            while (seen < 4) {
                seen += consumer.poll(Duration.ofSeconds(1)).count();
            }
            consumer.commitSync();
            transactions(servers, consumer);
        }
        var fenced = Map.of("client.id", "fenced", "group.id", "workers");
        try (var consumer = new KafkaConsumer<String, String>(properties(servers, fenced))) {
            // The group has a member for which this one is a stranger, or none: either is an answer.
            consumer.assign(List.of(new TopicPartition(TOPIC, 0)));
            consumer.commitSync(Map.of(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(1)));
        }
    }

    static void transactions(String servers, KafkaConsumer<String, String> consumer) {
        var more = Map.of("client.id", "careful", "transactional.id", "transfers");
        try (var producer = new KafkaProducer<String, String>(properties(servers, more))) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(TOPIC, "key", "committed"));
            var offsets = Map.of(new TopicPartition(TOPIC, 0), new OffsetAndMetadata(2));
            producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
            producer.commitTransaction();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(TOPIC, "key", "aborted"));
            producer.flush();
            producer.abortTransaction();
        }
    }
}
