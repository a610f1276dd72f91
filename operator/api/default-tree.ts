/** The fields of a schema and their defaults, without all else that the schema says. */
export interface DefaultTree {
  default?: unknown;
  /** All fields; absent where the schema does not name them. */
  properties?: Record<string, DefaultTree>;
  items?: DefaultTree;
}

/** The fields and defaults that an OpenAPI schema has anywhere. */
export function defaultTree(schema: object): DefaultTree {
  const { default: own, properties, items } = schema as { default?: unknown; properties?: object; items?: object };
  const fields = Object.entries(properties ?? {}).map(([name, field]) => [name, defaultTree(field as object)] as const);
  return {
    ...(own === undefined ? {} : { default: own }),
    ...(properties ? { properties: Object.fromEntries(fields) } : {}),
    ...(items ? { items: defaultTree(items) } : {}),
  };
}
