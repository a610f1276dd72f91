/** Who owns an object; see metadata.ownerReferences in the Kubernetes API reference. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
}

/** metadata of an object as the API server sends it: every timestamp is an RFC 3339 string, never a Date. */
export interface ObjectMeta {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: OwnerReference[];
}

/** What every Kubernetes object has. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
}

/**
 * Where the API server serves a kind. `T` is the type of its objects: it exists for the compiler only, so that
 * `client.get(Deployment, ref)` returns a Deployment.
 */
export interface ResourceType<T extends KubeObject> {
  /** API group; the empty string is the core group. */
  group: string;
  version: string;
  kind: string;
  /** Plural name in lower case, as it stands in the URL. */
  plural: string;
  namespaced: boolean;
  /** Lists and watches leave everything but the metadata out; see {@link metadataOf}. */
  metadataOnly?: true;
  /** Never set. Ties `T` to the constant. */
  readonly objectType?: T;
}

/** Names one object of a known type. `namespace` is absent for cluster-scoped objects. */
export interface ObjectRef {
  namespace?: string;
  name: string;
}

/** One line of a watch. A BOOKMARK's object holds nothing but metadata.resourceVersion. */
export interface WatchEvent<T extends KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

/** Replaces Date by string, all the way down: what client-node's models look like on the wire. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T;

/** One of client-node's models as we read and write it: wire types, and the fields that an object always has. */
export type WireObject<Model> = Omit<Wire<Model>, 'apiVersion' | 'kind' | 'metadata'> & KubeObject;

/**
 * The same objects without spec and status (PartialObjectMetadata): for who only needs to know that something changed.
 * A thousand whole objects would be parsed for nothing, after every change of each.
 */
export function metadataOf(type: ResourceType<KubeObject>): ResourceType<KubeObject> {
  return { ...type, metadataOnly: true };
}

/** `apiVersion` of a type: `v1`, `apps/v1`. */
export function apiVersionOf(type: ResourceType<KubeObject>): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

/** The reference of an object that was read from the API server. */
export function refOf(object: KubeObject): ObjectRef {
  const { namespace, name } = object.metadata;
  return namespace === undefined ? { name } : { namespace, name };
}

/** `namespace/name`, or `name` for a cluster-scoped object: the key under which queues and logs know an object. */
export function keyOf(ref: ObjectRef): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** Undoes {@link keyOf}. */
export function refOfKey(key: string): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
