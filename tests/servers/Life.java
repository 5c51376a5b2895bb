import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;

/** How long a server lives: until its standard input ends, which it does however the one who started it ends. */
final class Life {
    private Life() {}

    /** Says where it answers, and stays until nobody holds the other end of standard input; then its folder goes too. */
    static void of(AutoCloseable node, int port, Path home) throws IOException {
        System.out.println("ready 127.0.0.1:" + port);
        System.out.flush();
        byte[] ignored = new byte[256];
        while (System.in.read(ignored) >= 0) {}
        try {
            node.close();
        } catch (Exception e) {
            e.printStackTrace();
        }
        try {
            delete(home);
        } catch (IOException e) {
            e.printStackTrace();
        }
        // Threads of the server that have not ended shall not keep it alive.
        Runtime.getRuntime().halt(0);
    }

    private static void delete(Path folder) throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.delete(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, IOException failure) throws IOException {
                Files.delete(folder);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
