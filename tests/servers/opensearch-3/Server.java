import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.Version;
import org.opensearch.common.settings.Settings;
import org.opensearch.http.HttpServerTransport;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.PluginInfo;
import org.opensearch.transport.Netty4ModulePlugin;

/** One node of one cluster on loopback: the vendor's own class, with its own HTTP. */
public final class Server {
    private static final class Alone extends Node {
        Alone(Settings settings) {
            super(
                InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "opensearch-3"),
                List.of(http()),
                false
            );
        }

        private static PluginInfo http() {
            String plugin = Netty4ModulePlugin.class.getName();
            return new PluginInfo("transport-netty4", "HTTP", "1", Version.CURRENT, "21", plugin, null, List.of(), false);
        }
    }

    /** Arguments: its home, the folder of its data, and the port of HTTP, 0 for any. */
    public static void main(String[] arguments) throws Exception {
        Settings settings = Settings.builder()
            .put("path.home", arguments[0])
            .put("path.data", arguments[1] + "/data")
            .put("path.logs", arguments[1] + "/logs")
            .put("http.port", arguments[2])
            .put("transport.port", "0")
            .put("network.host", "127.0.0.1")
            .put("discovery.type", "single-node")
            .put("cluster.name", "tests")
            .put("node.name", "opensearch-3")
            // A disk that is nearly full is no reason to refuse a test its index.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            // Every index counts twice, with a replica that has nowhere to be; the tests make many.
            .put("cluster.max_shards_per_node", 20000)
            .build();
        Node node = new Alone(settings);
        node.start();
        int port = node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort();
        Life.of(node, port, Path.of(arguments[1]));
    }
}
