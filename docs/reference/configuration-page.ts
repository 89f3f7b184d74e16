import { createJsonSchema } from "../../src/config/json-schema.ts";
import { providers } from "../../src/provider/index.ts";
import { cell, code, GENERATED } from "./markdown.ts";
import { formsOf, type SchemaNode } from "./schema-node.ts";

/** Every key of the configuration, from the schema that validates it. */
export function configurationPage(): string {
  const schema = createJsonSchema(providers) as SchemaNode;
  const { credentials, routes, ...settings } = schema.properties ?? {};
  const forms = formsOf(credentials?.additionalProperties || {});
  const route = routes?.items ?? {};
  return `# Configuration reference

${GENERATED}

One YAML file: \`-c FILE\`, else \`$PILLION_CONFIG\`, else \`./pillion.yaml\`. \`pillion check\` judges it without secrets or network,
\`pillion init\` writes a first one, and editors complete it with
\`# yaml-language-server: $schema=./pillion.schema.json\` (\`pillion schema\` prints that file).

## Values

| | |
|---|---|
| duration | \`250ms\`, \`30s\`, \`5m\`, \`1h\`, \`15d\`; a bare number is refused |
| size | \`512B\`, \`64KiB\`, \`2MiB\`; a bare number is refused |
| secret | a reference with exactly one of \`{ env: NAME }\`, an environment variable, and \`{ file: PATH }\`; a trailing newline of the file is dropped |
| text or reference | text, or a reference as of a secret |
| path | of a file or directory; relative to the directory of the configuration |
| name | a letter or digit, then at most 62 of letters, digits, \`.\`, \`_\` and \`-\` |

Bold keys must be given. Four environment variables override the file: \`PILLION_CONFIG\`, \`PILLION_LISTEN\`, \`PILLION_ADMIN\`,
\`PILLION_LOG_LEVEL\`.

## Top level

${table({ ...schema, properties: settings })}
| [\`credentials\`](#credentials) | mapping by name | | ${cell(credentials?.description ?? "")} |
| [\`routes\`](#routes) | list of mappings | | ${cell(routes?.description ?? "")} |
${sections(settings, "")}
## credentials

${credentials?.description}

${forms.map(formSection).join("\n")}
## routes

${routes?.description}

${table(route)}
${sections(route.properties ?? {}, "routes[].")}`;
}

function formSection(form: SchemaNode): string {
  const { provider, grant, ...others } = form.properties ?? {};
  const isDefault = grant?.default !== undefined;
  const grantText =
    grant === undefined ? "" : `, \`grant: ${grant.const}\`${isDefault ? " (the default)" : ""}`;
  const tenant = others["tenants"]?.additionalProperties;
  const own = tenant ? Object.keys(tenant.properties ?? {}) : [];
  const tenants = tenant
    ? `\nEach of its tenants may override ${own.map((key) => `\`${key}\``).join(", ")}. A bold key may stand on the credential or on every tenant.\n`
    : "";
  return `### provider ${form.title}

\`provider: ${provider?.const}\`${grantText}. ${provider?.description}

${table({ ...form, properties: others })}
${tenants}${sections(withoutTls(others), `credentials.NAME.`)}`;
}

/** The same everywhere, and shown with the routes. */
function withoutTls(properties: Readonly<Record<string, SchemaNode>>): Readonly<Record<string, SchemaNode>> {
  const { tls: _, tenants: __, ...others } = properties;
  return others;
}

/** The keys of mappings within, each as a section. */
function sections(properties: Readonly<Record<string, SchemaNode>>, prefix: string): string {
  return Object.entries(properties)
    .filter(([, { properties: below }]) => below !== undefined)
    .map(
      ([key, node]) =>
        `\n### ${prefix}${key}\n\n${cell(node.description ?? "")}\n\n${table(node)}\n${sections(node.properties ?? {}, `${prefix}${key}.`)}`,
    )
    .join("");
}

function table({ properties = {}, required = [], then }: SchemaNode): string {
  const needed = new Set([...required, ...(then?.required ?? [])]);
  const rows = Object.entries(properties).map(([key, node]) => {
    const name = needed.has(key) ? `**\`${key}\`**` : `\`${key}\``;
    // A mapping's own keys have theirs.
    const preset = node.default === undefined || node.properties !== undefined ? "" : code(node.default);
    const examples = (node.examples ?? []).map(code).join(", ");
    const text = `${cell(node.description ?? "")}${examples === "" ? "" : ` Such as ${examples}.`}`;
    return `| ${name} | ${kindOf(node)} | ${preset} | ${text} |`;
  });
  return ["| key | value | default | |", "|---|---|---|---|", ...rows].join("\n");
}

/** What may be written there, in a few words. */
function kindOf(node: SchemaNode): string {
  if (node.const !== undefined) return code(node.const);
  if (node.enum !== undefined) return node.enum.map(code).join(" ");
  if (node.anyOf !== undefined) return unionOf(node.anyOf);
  if (node.pattern?.includes("ms|s|m|h|d")) return "duration";
  if (node.pattern?.includes("KiB")) return "size";
  if (node.format === "uri") return "URL";
  switch (node.type) {
    case "boolean":
      return "`true` `false`";
    case "integer":
    case "number":
      return `${node.type === "integer" ? "whole number" : "number"}${boundsOf(node)}`;
    case "array":
      return `list of ${plural(node.items)}`;
    case "object":
      return node.properties === undefined ? "mapping" : "mapping, below";
    default:
      return "text";
  }
}

function plural(items: SchemaNode | undefined): string {
  if (items?.enum !== undefined) return "methods";
  const kind = items === undefined ? "values" : kindOf(items);
  return kind === "text" ? "texts" : `${kind}s`;
}

function unionOf(forms: readonly SchemaNode[]): string {
  const keys = forms.map(({ properties }) => Object.keys(properties ?? {}).join());
  const hasText = forms.some(({ type }) => type === "string");
  if (!keys.includes("env")) return "name, or a mapping";
  return hasText ? "text or reference" : "secret";
}

function boundsOf({ minimum, maximum }: SchemaNode): string {
  return minimum === undefined || maximum === undefined ? "" : `, ${minimum} to ${maximum}`;
}
