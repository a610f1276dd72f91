/** The fields of a schema and their defaults, without all else that the schema says. */
export interface FieldTree {
  default?: unknown;
  /** All fields; absent where the schema does not name them. */
  properties?: Record<string, FieldTree>;
  items?: FieldTree;
}

/** The fields and defaults that an OpenAPI schema has anywhere. */
export function fieldTree(schema: object): FieldTree {
  const { default: own, properties, items } = schema as { default?: unknown; properties?: object; items?: object };
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, fieldTree(field as object)] as const);
  return {
    ...(own === undefined ? {} : { default: own }),
    ...(properties ? { properties: Object.fromEntries(fields) } : {}),
    ...(items ? { items: fieldTree(items) } : {}),
  };
}
