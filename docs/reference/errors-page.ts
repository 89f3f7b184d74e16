import { formatFault } from "../../src/config/fault.ts";
import { systemFiles } from "../../src/config/files.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { ERROR_TABLE, type ErrorCode } from "../../src/core/errors.ts";
import { providers } from "../../src/provider/index.ts";
import { problemType } from "../../src/proxy/respond.ts";
import { ERROR_TEXTS, type ErrorText } from "./error-texts.ts";
import { FAULT_TEXTS, type FaultText } from "./fault-texts.ts";
import { GENERATED } from "./markdown.ts";

/** A section for each code of the proxy and for each kind of configuration fault. */
export function errorsPage(): string {
  const codes = Object.keys(ERROR_TEXTS) as ErrorCode[];
  return `# Errors

${GENERATED}

An answer that Pillion makes itself is \`application/problem+json\` (RFC 9457) and has a \`Proxy-Status\` field (RFC 9209); an answer of
the API has neither. The last part of \`type\` is the anchor of a section here:

\`\`\`json
{"type":"${problemType("TENANT_UNKNOWN")}","title":"${ERROR_TABLE.TENANT_UNKNOWN.title}","status":404,"detail":"…","code":"TENANT_UNKNOWN","request_id":"…"}
\`\`\`

\`request_id\` is the \`X-Request-Id\` of the request, and stands in its log line. Every 503 has \`Retry-After\`. The metric
\`pillion_rejected_total{reason}\` counts each code.

| code | status | \`Proxy-Status\` | |
|---|---|---|---|
${codes.map((code) => `| [${code}](#${anchorOf(code)}) | ${ERROR_TABLE[code].status} | \`${ERROR_TABLE[code].proxyStatus}\` | ${ERROR_TABLE[code].title} |`).join("\n")}

\`Proxy-Status\` can be more precise than this where more is known (\`dns_error\`, \`tls_certificate_error\`, \`connection_timeout\`).

${codes.map((code) => section(code, ERROR_TEXTS[code])).join("\n")}
# Configuration faults

\`pillion check\` and \`pillion run\` report every fault at once, as \`file:line:column path: message\`, and end with 2. No message
repeats a secret. These are the kinds, each with a file that has it.

${FAULT_TEXTS.map(faultSection).join("\n")}`;
}

/** The anchor of a code's section: the last part of its problem type. */
export function anchorOf(code: ErrorCode): string {
  return problemType(code).split(":").at(-1) ?? "";
}

function section(code: ErrorCode, { happened, causes, remedy, log }: ErrorText): string {
  const { status, title } = ERROR_TABLE[code];
  return `<a id="${anchorOf(code)}"></a>
## ${code}

**${status}: ${title}.** ${happened}

It can come from:

${causes.map((cause) => `- ${cause}`).join("\n")}

**What to do.** ${remedy}

**In the log.** ${log}
`;
}

function faultSection({ title, sample, text }: FaultText): string {
  const { faults } = parseConfig(sample, {
    file: "pillion.yaml",
    directory: "/",
    providers,
    env: {},
    files: systemFiles,
  });
  if (faults.length !== 1) throw new Error(`"${title}" is to show one fault and has ${faults.length}`);
  return `## ${title}

\`\`\`yaml part
${sample}\`\`\`

\`\`\`text
${faults.map(formatFault).join("\n")}
\`\`\`

${text}
`;
}
