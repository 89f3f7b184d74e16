/** As much of JSON Schema as ours has. */
export interface SchemaNode {
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly type?: string;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | false;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
  readonly then?: { readonly required: readonly string[] };
}

/** The forms of a credential. */
export function formsOf(node: SchemaNode): readonly SchemaNode[] {
  if (node.properties !== undefined) return [node];
  return [...(node.anyOf ?? []), ...(node.oneOf ?? [])].flatMap(formsOf);
}
