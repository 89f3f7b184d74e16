import { defineConfig } from "vitest/config";

/** Rooms whose tests start processes and servers, send signals, or weigh their own memory: a process per test file. */
const APART = ["attacks", "bench", "e2e", "embedding", "store", "support"].map(
  (room) => `test/${room}/**/*.test.ts`,
);

export default defineConfig({
  test: {
    environment: "node",
    pool: "forks",
    // Sized for two cores: one more than those, since end-to-end tests wait much of their time.
    maxWorkers: 3,
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 5_000,
    // A test that fails now and then is a fault of the test or of the product; it is not tried again.
    retry: 0,
    env: { NO_COLOR: "1" },
    projects: [
      { extends: true, test: { name: "apart", include: APART } },
      // Nothing is kept in modules, so that these share their processes: most of the time would go into starting them.
      {
        extends: true,
        test: { name: "rooms", include: ["test/**/*.test.ts"], exclude: APART, isolate: false },
      },
    ],
  },
});
