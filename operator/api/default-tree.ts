/** The defaults of a schema and of what lies within it, without all else that the schema says. */
export interface DefaultTree {
  default?: unknown;
  properties?: Record<string, DefaultTree>;
  items?: DefaultTree;
}

/** The defaults that an OpenAPI schema has anywhere; undefined where it has none. */
export function defaultTree(schema: unknown): DefaultTree | undefined {
  if (typeof schema !== 'object' || schema === null) return undefined;
  const {
    default: own,
    properties = {},
    items,
  } = schema as { default?: unknown; properties?: object; items?: unknown };
  const within = Object.entries(properties).flatMap(([name, value]) => {
    const tree = defaultTree(value);
    return tree ? [[name, tree] as const] : [];
  });
  const ofItems = defaultTree(items);
  const tree: DefaultTree = {
    ...(own === undefined ? {} : { default: own }),
    ...(within.length > 0 ? { properties: Object.fromEntries(within) } : {}),
    ...(ofItems ? { items: ofItems } : {}),
  };
  return Object.keys(tree).length > 0 ? tree : undefined;
}
