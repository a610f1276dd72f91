// The full zod would be more than half of the operator's program, and megabytes of its memory.
import * as z from 'zod/mini';
import english from 'zod/v4/locales/en.js';

const name = z.string().check(z.minLength(1));
const port = z.coerce.number().check(z.int(), z.minimum(0), z.maximum(65_535));
const names = z.transform((list: string) =>
  list
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean),
);

z.config(english());

const environment = z.object({
  POD_NAME: z._default(name, () => `local-${process.pid}`),
  POD_NAMESPACE: z._default(name, 'default'),
  RUNNER_IMAGE: name,
  RUNNER_IMAGE_PULL_POLICY: z._default(z.enum(['Always', 'IfNotPresent', 'Never']), 'IfNotPresent'),
  RUNNER_IMAGE_PULL_SECRETS: z.pipe(z._default(z.string(), ''), names),
  /** What people call this cluster; told to whoever else wants to work on a database. */
  CLUSTER_NAME: z._default(z.string().check(z.maxLength(63)), ''),
  WATCH_NAMESPACES: z.pipe(z._default(z.string(), ''), names),
  HEALTH_PORT: z._default(port, 8081),
  METRICS_PORT: z._default(port, 8080),
  LEADER_ELECTION: z._default(z.enum(['on', 'off']), 'on'),
});
export type Configuration = z.infer<typeof environment>;

/**
 * The operator's configuration from its environment.
 * @throws an error that names every variable that is missing or wrong
 */
export function readConfiguration(variables: NodeJS.ProcessEnv): Configuration {
  const result = environment.safeParse(variables);
  if (result.success) return result.data;
  const problems = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`The operator's environment is not usable: ${problems.join('; ')}`);
}
