import { request, type IncomingMessage } from 'node:http';
import { redact } from '../../kube/redact.ts';
import type { SmokeTest } from '../../api/plan.ts';
import type { KubeClient } from '../../kube/client.ts';
import { messageOf } from '../../kube/message-of.ts';
import { Service } from '../../kube/resource-types.ts';
import type { SmokeTestObservation, UnaskableSmokeTest } from '../decide/observation.ts';

const REQUEST_TIMEOUT_MILLISECONDS = 3000;
const LONGEST_BODY = 65_536;

/** Asks a smoke test once. Never throws: a refused connection is an answer, too. */
export async function askSmokeTest(
  client: KubeClient,
  namespace: string,
  test: SmokeTest,
): Promise<SmokeTestObservation> {
  const { name, http } = test;
  const place = await placeOf(client, namespace, test);
  if ('why' in place) return { name, passed: false, answer: place.why };
  const url = `http://${place.host}:${http.port}${http.path}`;
  const what = `GET ${http.path} on Service ${http.service}:${http.port}`;
  // It ends a body that never ends, too.
  const signal = AbortSignal.timeout(REQUEST_TIMEOUT_MILLISECONDS);
  try {
    const { status, body } = await get(url, signal);
    return { name, ...judge(test, what, status, body) };
  } catch (error) {
    const cause = signal.aborted ? `not within ${REQUEST_TIMEOUT_MILLISECONDS / 1000} s` : messageOf(error);
    return { name, passed: false, answer: `${what} was not answered: ${cause}` };
  }
}

/** Those whose Service is not there, or leads out of the cluster: found out after the outage, it would be in vain. */
export async function unaskableSmokeTests(
  client: KubeClient,
  namespace: string,
  tests: SmokeTest[],
): Promise<UnaskableSmokeTest[]> {
  const places = await Promise.all(tests.map((test) => placeOf(client, namespace, test)));
  return places.flatMap((place, index) => ('why' in place ? [{ name: tests[index]!.name, why: place.why }] : []));
}

async function placeOf(
  client: KubeClient,
  namespace: string,
  { http: { service: name } }: SmokeTest,
): Promise<{ host: string } | { why: string }> {
  const service = await client.get(Service, { namespace, name });
  if (!service) return { why: `Service ${name} does not exist in namespace ${namespace}` };
  const host = hostOf(service, namespace);
  return host === undefined
    ? { why: `Service ${name} is of type ExternalName; smoke tests ask only what runs in this cluster` }
    : { host };
}

/** Undefined: the Service leads out of the cluster, where the operator has no errand. */
export function hostOf({ metadata, spec }: Service, namespace: string): string | undefined {
  if (spec?.type === 'ExternalName') return undefined;
  // The cluster IP spares a look-up, and with it the cache of one; a headless Service has only its name.
  const address = spec?.clusterIP;
  if (!address || address === 'None') return `${metadata.name}.${namespace}.svc`;
  return address.includes(':') ? `[${address}]` : address;
}

/** Whether an answer is the expected one, and what was answered. */
export function judge(
  { http }: SmokeTest,
  what: string,
  status: number,
  body: string,
): Omit<SmokeTestObservation, 'name'> {
  if (status !== http.expectedStatus) {
    return {
      passed: false,
      answer: `${what} answered ${status} instead of ${http.expectedStatus}${body ? `: ${redact(body).slice(0, 300)}` : ''}`,
    };
  }
  if (http.expectedBody !== undefined && !body.includes(http.expectedBody)) {
    return {
      passed: false,
      answer: `${what} answered ${status}, but the body does not contain ${JSON.stringify(http.expectedBody)}`,
    };
  }
  return { passed: true, answer: `${what} answered ${status}` };
}

/**
 * Asks once, on a connection of its own. A redirect could lead anywhere in the cluster: it is an answer, not an errand.
 * Not `fetch`, which would cost the operator, who never asks anything else that way, an HTTP client of its own.
 */
async function get(url: string, signal: AbortSignal): Promise<{ status: number; body: string }> {
  const headers = { 'user-agent': 'phasemigration-operator', connection: 'close' };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request(url, { headers, signal }, resolve).once('error', reject).end();
  });
  return { status: response.statusCode ?? 0, body: await readStart(response) };
}

async function readStart(response: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > LONGEST_BODY) break;
  }
  return text;
}
