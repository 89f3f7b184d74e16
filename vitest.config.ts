import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    environment: "node",
    // A process per test file: tests that open sockets, spawn processes or send signals cannot disturb each other.
    pool: "forks",
    // Sized for two cores: one more than those, since end-to-end tests wait much of their time.
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 5_000,
    // A test that fails now and then is a fault of the test or of the product; it is not tried again.
    retry: 0,
    env: { NO_COLOR: "1" },
  },
});
