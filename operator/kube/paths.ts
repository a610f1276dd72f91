import type { KubeObject, ResourceType } from './types.ts';

/**
 * The URL path of a collection (no name), an object, or a subresource. Throws for a namespaced object without a
 * namespace: the API server would answer that with a 404, which `get` reports as "does not exist" and `delete` as done.
 */
export function pathOf(
  type: ResourceType<KubeObject>,
  ref: { namespace?: string; name?: string },
  subresource?: string,
): string {
  const { namespace, name } = ref;
  if (name !== undefined) requireNamespace(type, namespace, name);
  const root = type.group === '' ? ['api', type.version] : ['apis', type.group, type.version];
  const scope = type.namespaced && namespace !== undefined ? ['namespaces', namespace] : [];
  const object = name === undefined ? [] : [name];
  const sub = subresource === undefined ? [] : [subresource];
  return `/${[...root, ...scope, type.plural, ...object, ...sub].map(encodeURIComponent).join('/')}`;
}

/** The URL path to which a new object is posted: its collection, in its namespace. */
export function pathForCreate(type: ResourceType<KubeObject>, metadata: { namespace?: string; name?: string }): string {
  requireNamespace(type, metadata.namespace, metadata.name);
  return pathOf(type, { namespace: metadata.namespace });
}

function requireNamespace(type: ResourceType<KubeObject>, namespace?: string, name?: string): void {
  if (!type.namespaced || namespace !== undefined) return;
  throw new Error(`${type.kind} ${name ?? ''} is namespaced, but no namespace was given.`);
}
