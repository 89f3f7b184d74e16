const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  run: ["pillion run -c pillion.yaml", "PILLION_LISTEN=127.0.0.1:0 pillion run --log-level debug"],
  dev: ["pillion dev", "pillion dev --ephemeral --listen 127.0.0.1:0 --admin 127.0.0.1:0"],
  emulate: ["pillion emulate --port 9400 --expires-in 60"],
  init: ["pillion init", "pillion init --provider qmatic --tenants isb=1001,riverside --secrets file"],
  check: ["pillion check", "pillion check --secrets -c pillion.yaml"],
  explain: [
    "pillion explain GET http://localhost:8080/zocdoc/v1/providers",
    "pillion explain GET /appointments/x -H 'X-Tenant: isb' --json",
  ],
  doctor: ["pillion doctor", "pillion doctor qmatic --tenant isb", "pillion doctor --timeout 3s --json"],
  token: [
    "pillion token zocdoc",
    'curl -H "Authorization: Bearer $(pillion token qmatic --tenant isb --raw)" …',
  ],
  schema: ["pillion schema > pillion.schema.json"],
  healthcheck: ["pillion healthcheck -c /etc/pillion/pillion.yaml"],
  completion: ["source <(pillion completion bash)"],
  version: ["pillion version"],
};

/** What stands below a command's options in its help; "" for a command without an example. */
export function examplesOf(command: string): string {
  const lines = EXAMPLES[command] ?? [];
  if (lines.length === 0) return "";
  return `\n${lines.length === 1 ? "Example" : "Examples"}:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
