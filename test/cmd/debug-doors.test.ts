import { describe, expect, it } from "vitest";
import { openDebugDoors } from "../../cmd/debug-doors.ts";

const judge = (
  env: Readonly<Record<string, string>>,
  execArgv: readonly string[] = [],
  inspectorUrl?: string,
): readonly string[] => openDebugDoors({ env, execArgv, inspectorUrl });

describe("a door for watching Node at work", () => {
  it.each([
    ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
    ["NODE_DEBUG", "http"],
    ["NODE_DEBUG", "net,tls"],
    ["NODE_DEBUG", "undici"],
    ["NODE_DEBUG", "h*"],
    ["NODE_DEBUG_NATIVE", "http2"],
    ["SSLKEYLOGFILE", "keys.txt"],
    ["NODE_USE_ENV_PROXY", "1"],
    ["NODE_USE_ENV_PROXY", "true"],
  ])("is the variable %s=%s", (name, value) => {
    expect(judge({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}\\b`))]);
  });

  const flags = [
    ["--inspect"],
    ["--inspect=0.0.0.0:9229"],
    ["--inspect-brk"],
    ["--inspect-wait=0"],
    ["--inspect-port=0"],
    ["--inspect-publish-uid=http"],
    ["--debug-port=9230"],
    ["--experimental-network-inspection"],
    ["--tls-keylog=keys.txt"],
    ["--trace-tls"],
    ["--insecure-http-parser"],
    ["--use-env-proxy"],
    ["--heapsnapshot-signal=SIGUSR2"],
    ["--heapsnapshot-near-heap-limit=1"],
    ["--diagnostic-dir=dumps"],
    ["--abort-on-uncaught-exception"],
    ["--trace-event-categories=node.http"],
    ["--report-on-fatalerror"],
    ["--report-on-signal"],
    ["--report-uncaught-exception"],
    ["--experimental-config-file=node.config.json"],
    ["--experimental-default-config-file"],
  ];
  it.each(flags)("is the flag %s, on the command line and in NODE_OPTIONS", (flag) => {
    const name = flag.replace(/=.*$/, "");
    expect(judge({}, [flag])).toEqual([expect.stringContaining(`${name}: `)]);
    const inOptions = [expect.stringContaining(`${name} in NODE_OPTIONS: `)];
    expect(judge({ NODE_OPTIONS: `--max-http-header-size=16384 ${flag}` })).toEqual(inOptions);
    expect(judge({ NODE_OPTIONS: `"${flag}"  --no-warnings` })).toEqual(inOptions);
  });

  it.each(["--insecure_http_parser", "--tls_keylog=keys.txt", "--report_on_signal"])(
    "is a flag in Node's other spelling: %s",
    (flag) => expect(judge({}, [flag])).toHaveLength(1),
  );

  it("is a flag whose value is an argument of its own", () => {
    expect(judge({}, ["--tls-keylog", "keys.txt"])).toEqual([expect.stringContaining("--tls-keylog")]);
  });

  it("is a part of NODE_OPTIONS that is quoted in the middle", () => {
    expect(judge({ NODE_OPTIONS: '--tls-"keylog=/tmp/a b\\"c"' })).toEqual([
      expect.stringContaining("--tls-keylog in NODE_OPTIONS"),
    ]);
  });

  it("is a debugger that listens, however it was opened, and is told of once", () => {
    expect(judge({}, [], "ws://127.0.0.1:9229/x")).toEqual([expect.stringContaining("a debugger listens")]);
    expect(judge({}, ["--inspect"], "ws://127.0.0.1:9229/x")).toHaveLength(1);
  });
});

describe("no door", () => {
  it.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ["a bare environment", {}, []],
    ["variables that are empty", { NODE_DEBUG: "", NODE_OPTIONS: "", SSLKEYLOGFILE: "" }, []],
    ["verification that is on", { NODE_TLS_REJECT_UNAUTHORIZED: "1" }, []],
    [
      "proxies of the environment, which nothing listens to",
      { HTTP_PROXY: "http://x", https_proxy: "x" },
      [],
    ],
    ["NODE_USE_ENV_PROXY=0", { NODE_USE_ENV_PROXY: "0" }, []],
    ["more trust anchors", { NODE_EXTRA_CA_CERTS: "ca.pem", NODE_OPTIONS: "--use-system-ca" }, []],
    ["reports without the environment", { NODE_OPTIONS: "--report-exclude-env" }, ["--report-on-signal"]],
    ["the image's own flags", {}, ["--disable-sigusr1", "--report-exclude-env", "--report-exclude-network"]],
    ["what a value happens to be called", { NODE_OPTIONS: '--title="--inspect"' }, []],
    ["profiles, which hold no values", {}, ["--cpu-prof", "--heap-prof"]],
  ])("is %s", (_, env, execArgv) => {
    expect(judge(env, execArgv)).toEqual([]);
  });
});

describe("open doors", () => {
  it("are told of all at once, a line each, without the values", () => {
    const doors = judge(
      {
        NODE_DEBUG: "canary-1",
        SSLKEYLOGFILE: "canary-2",
        NODE_OPTIONS: "--tls-keylog=canary-3 --trace-tls",
      },
      ["--insecure-http-parser"],
    );
    expect(doors).toHaveLength(5);
    expect(doors.join("\n").split("\n")).toHaveLength(5);
    expect(doors.join()).not.toContain("canary");
  });
});
