import java.nio.file.Path;
import java.util.Map;
import org.elasticsearch.common.logging.LogConfigurator;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.env.Environment;
import org.elasticsearch.http.HttpServerTransport;
import org.elasticsearch.node.InternalSettingsPreparer;
import org.elasticsearch.node.Node;
import org.elasticsearch.plugins.PluginsLoader;

/** One node of one cluster on loopback: the vendor's own class; its HTTP lies in the folder of modules. */
public final class Server {
    /** Arguments: its home, the folder of its data, and the port of HTTP, 0 for any. */
    public static void main(String[] arguments) throws Exception {
        LogConfigurator.loadLog4jPlugins();
        LogConfigurator.configureESLogging();
        Settings settings = Settings.builder()
            .put("path.home", arguments[0])
            .put("path.data", arguments[1] + "/data")
            .put("path.logs", arguments[1] + "/logs")
            .put("http.port", arguments[2])
            .put("transport.port", "0")
            .put("network.host", "127.0.0.1")
            .put("discovery.type", "single-node")
            .put("cluster.name", "tests")
            .put("node.name", "elasticsearch-9")
            // A disk that is nearly full is no reason to refuse a test its index.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            // Every index counts twice, with a replica that has nowhere to be; the tests make many.
            .put("cluster.max_shards_per_node", 20000)
            .build();
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), null, () -> "elasticsearch-9");
        LogConfigurator.configureWithoutConfig(environment.settings());
        PluginsLoader plugins = PluginsLoader.createPluginsLoader(
            PluginsLoader.loadModulesBundles(environment.modulesDir()),
            PluginsLoader.loadPluginsBundles(environment.pluginsDir()),
            Map.of(),
            false
        );
        Node node = new Node(environment, plugins);
        node.start();
        int port = node.injector().getInstance(HttpServerTransport.class).boundAddress().publishAddress().getPort();
        Life.of(node, port, Path.of(arguments[1]));
    }
}
